import { readFileSync } from 'node:fs'

/** Seeds that once found a bug: the number at the beginning of each line of seeds.txt; what follows it is its story. */
export function keptSeeds(): readonly number[] {
  const lines = readFileSync(new URL('seeds.txt', import.meta.url), 'utf8').split('\n')
  return lines.flatMap((line) => /^(\d+)/.exec(line)?.[1] ?? []).map(Number)
}

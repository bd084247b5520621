/** What a drill is told and what it tells. */
export type Drill = Readonly<{
  /** One sentence for `--help`. */
  about: string
  /** Its numbers and their usual values, each an option of the command. */
  usual: Readonly<Record<string, number>>
  /** Prints figures as they come; gives every broken promise, none when all was kept. */
  run(numbers: Numbers, say: (sentence: string) => void): Promise<readonly string[]>
}>

/** The options of a run by name. */
export type Numbers = (name: string) => number

/** Where the first of the values stands in order at which `share` of all are no larger; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

export const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

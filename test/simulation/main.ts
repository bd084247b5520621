import { parseArgs } from 'node:util'
import { keptSeeds } from './kept-seeds.ts'
import { runSeed } from './run-seed.ts'
import { CRAWLS_AFTER_S, runSeeds } from './seed-pool.ts'
import { inSeconds, Summary } from './summary.ts'

const USAGE = `npm run simulate -- --seed 42      one seed, and the story of its faults
npm run simulate -- --seeds 2000   many, on all processors
npm run simulate -- --minutes 10   as many as there is time for
npm run simulate -- --kept         the seeds that once found a bug (test/simulation/seeds.txt)

--from 1     where many begin
--twice 40   one of so many is run twice: the same seed must give the same events`

const DEFAULT_FROM = 1
const DEFAULT_TWICE = 40
const PROGRESS_INTERVAL_MS = 10_000
const MS_PER_MINUTE = 60_000
const EXIT_VIOLATED = 1
const EXIT_USAGE = 64

const OPTIONS = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  minutes: { type: 'string' },
  kept: { type: 'boolean' },
  from: { type: 'string' },
  twice: { type: 'string' },
} as const

async function command(args: readonly string[]): Promise<number> {
  const values = read(args)
  if (values === null) {
    process.stderr.write(`${USAGE}\n`)
    return EXIT_USAGE
  }
  const { seed, seeds, minutes, kept, from, twice } = values
  if (seed !== undefined) return await one(Number(seed))
  const first = Number(from ?? DEFAULT_FROM)
  const untilMs = minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + Number(minutes) * MS_PER_MINUTE
  const list = kept === true ? keptSeeds() : null
  const count = list?.length ?? Number(seeds ?? Number.POSITIVE_INFINITY)
  const seedAt = (i: number): number | null =>
    i < count && performance.now() < untilMs ? (list?.[i] ?? first + i) : null
  return await many(seedAt, Number(twice ?? DEFAULT_TWICE))
}

/** Null where the words are not those of USAGE. */
function read(args: readonly string[]) {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS })
    const { kept, ...counts } = values
    const modes = [values.seed, values.seeds, values.minutes, kept].filter((value) => value !== undefined)
    const areCounts = Object.values(counts).every((value) => /^\d{1,9}$/.test(value))
    const areSome = [values.seeds, values.minutes, values.twice].every(
      (value) => value === undefined || Number(value) > 0,
    )
    return modes.length === 1 && areCounts && areSome ? values : null
  } catch {
    return null // parseArgs, of an option it does not know
  }
}

async function one(seed: number): Promise<number> {
  const outcome = await runSeed(seed)
  for (const { us, text } of outcome.story) say(`${inSeconds(us)}  ${text}`)
  const [first] = outcome.violations
  say(
    first === undefined
      ? `seed ${seed} holds: ${outcome.entries} entries, ${outcome.records} records, events ${outcome.hash}`
      : `seed ${seed} BREAKS a promise at ${inSeconds(first.us)}: ${first.text}\nevents ${outcome.hash}`,
  )
  return first === undefined ? 0 : EXIT_VIOLATED
}

/** `seedAt`: the seed of this number, or null when it was the last. */
async function many(seedAt: (i: number) => number | null, twiceEvery: number): Promise<number> {
  const startedMs = performance.now()
  const summary = new Summary()
  const tookS = (): number => (performance.now() - startedMs) / 1000
  const progress = setInterval(() => {
    process.stderr.write(`${summary.seeds} seeds in ${tookS().toFixed(0)} s, ${summary.broken.length} of them broken\n`)
  }, PROGRESS_INTERVAL_MS)
  let begun = 0
  const nextOrder = () => {
    const seed = seedAt(begun)
    return seed === null ? null : { seed, isTwice: begun++ % twiceEvery === 0 }
  }
  await runSeeds(new URL('seed-worker.ts', import.meta.url), CRAWLS_AFTER_S, nextOrder, (end) => {
    const problem = summary.add(end)
    if (problem !== null) say(problem)
  })
  clearInterval(progress)
  for (const line of summary.lines(tookS())) say(line)
  return summary.isClean ? 0 : EXIT_VIOLATED
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await command(process.argv.slice(2))

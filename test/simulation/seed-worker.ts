import { type Outcome, runSeed } from './run-seed.ts'

/** One seed to be run, twice where it is asked for: the same seed must give the same events. */
export type SeedOrder = Readonly<{ seed: number; isTwice: boolean }>
/** What one seed came to, without its story. */
export type SeedReport = Readonly<{ outcome: Omit<Outcome, 'story'>; isTwice: boolean; isUnlike: boolean }>

// A process of its own (seed-pool.ts), given one seed at a time until its parent goes.
process.on(
  'message',
  ({ seed, isTwice }: SeedOrder) => void run(seed, isTwice).then((report) => process.send?.(report)),
)
process.on('disconnect', () => process.exit())
// Waits that are called off make errors by the thousand. `--seed` shows where one came from.
Error.stackTraceLimit = 0

async function run(seed: number, isTwice: boolean): Promise<SeedReport> {
  const { story: _, ...outcome } = await runSeed(seed)
  if (!isTwice) return { outcome, isTwice, isUnlike: false }
  const again = await runSeed(seed)
  return { outcome, isTwice, isUnlike: again.hash !== outcome.hash || again.records !== outcome.records }
}

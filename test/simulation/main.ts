import { ALL_FAULT_KINDS, type FaultKind, KINDS_OFF } from './fault-kinds.ts'
import { keptSeeds } from './kept-seeds.ts'
import { type Outcome, runSeed } from './run-seed.ts'
import { US_PER_S } from './virtual-time.ts'

const USAGE = `npm run simulate -- --seed 42      one seed, and the story of its faults
npm run simulate -- --seeds 2000   many; --from 1 is where they begin
npm run simulate -- --kept         the seeds that once found a bug (test/simulation/seeds.txt)`

/** One seed in so many is run twice: the same seed must give the same events. */
const SAMPLE_EVERY = 40
const EXIT_VIOLATED = 1
const EXIT_USAGE = 64

async function command(args: readonly string[]): Promise<number> {
  const [name, value, ...rest] = args
  if (name === '--seed' && isCount(value) && rest.length === 0) return await one(Number(value))
  if (name === '--kept' && value === undefined) return await many(keptSeeds())
  const from =
    rest[0] === '--from' && isCount(rest[1]) && rest.length === 2 ? Number(rest[1]) : rest.length === 0 ? 1 : null
  if (name !== '--seeds' || !isCount(value) || from === null) {
    process.stderr.write(`${USAGE}\n`)
    return EXIT_USAGE
  }
  return await many(Array.from({ length: Number(value) }, (_, i) => from + i))
}

async function one(seed: number): Promise<number> {
  const outcome = await runSeed(seed)
  for (const { us, text } of outcome.story) say(`${seconds(us)}  ${text}`)
  const [first] = outcome.violations
  say(
    first === undefined
      ? `seed ${seed} holds: ${outcome.entries} entries, ${outcome.records} records, events ${outcome.hash}`
      : `seed ${seed} BREAKS a promise at ${seconds(first.us)}: ${first.text}\nevents ${outcome.hash}`,
  )
  return first === undefined ? 0 : EXIT_VIOLATED
}

async function many(seeds: readonly number[]): Promise<number> {
  const startedMs = performance.now()
  const faults = new Map<FaultKind, number>()
  const broken: Outcome[] = []
  const unlike: number[] = []
  const total = { simulatedS: 0, restarts: 0, entries: 0, records: 0, again: 0 }
  for (const [i, seed] of seeds.entries()) {
    const outcome = await runSeed(seed)
    for (const [kind, count] of outcome.faults) faults.set(kind, (faults.get(kind) ?? 0) + count)
    total.simulatedS += outcome.simulatedS
    total.restarts += outcome.restarts
    total.entries += outcome.entries
    total.records += outcome.records
    const [first] = outcome.violations
    if (first !== undefined) {
      broken.push(outcome)
      say(`seed ${seed} BREAKS a promise at ${seconds(first.us)}: ${first.text}`)
    }
    if (i % SAMPLE_EVERY > 0) continue
    const again = await runSeed(seed)
    total.simulatedS += again.simulatedS
    total.again++
    if (again.hash !== outcome.hash || again.records !== outcome.records) unlike.push(seed)
  }
  const tookS = (performance.now() - startedMs) / 1000
  const count = [...faults.values()].reduce((sum, of) => sum + of, 0)
  const drawn = ALL_FAULT_KINDS.filter((kind) => !KINDS_OFF.includes(kind) || faults.has(kind))
  for (const kind of drawn) say(`${String(faults.get(kind) ?? 0).padStart(8)}  ${kind}`)
  say(
    `${seeds.length} seeds, ${(total.simulatedS / 3600).toFixed(1)} simulated hours in ${tookS.toFixed(0)} s ` +
      `(${Math.round(total.simulatedS / tookS)} times real time); ${count} faults of ${drawn.length} kinds, ` +
      `${total.restarts} restarts; ${total.entries} entries, ${total.records} records stored`,
  )
  const missing = drawn.filter((kind) => !faults.has(kind))
  if (missing.length > 0) say(`these kinds never took effect: ${missing.join(', ')}`)
  say(
    `${total.again} seeds were run twice; ${unlike.length === 0 ? 'each gave the same events' : `other events: ${unlike.join(', ')}`}`,
  )
  say(broken.length === 0 ? 'no promise was broken' : `broken by: ${broken.map(({ seed }) => seed).join(', ')}`)
  return broken.length + unlike.length === 0 ? 0 : EXIT_VIOLATED
}

function isCount(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,9}$/.test(text)
}

function seconds(us: number): string {
  return `${(us / US_PER_S).toFixed(3).padStart(9)} s`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await command(process.argv.slice(2))

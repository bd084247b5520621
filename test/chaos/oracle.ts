import { setTimeout as delay } from 'node:timers/promises'
import { assertStoredTruth } from '../stored-truth.ts'
import { verifyAll } from '../whole.ts'
import { findLedgerFaults } from './book-ledger.ts'
import { findBookFaults } from './book-samples.ts'
import { findTradeFaults } from './trade-ledger.ts'
import type { World } from './world.ts'

/** What was compared in the end; what was found is in the world's violations. */
export type Verdict = Readonly<{
  epochs: number
  gaps: number
  changes: number
  trades: number
  books: number
}>

/**
 * The last word on a run, when everything is live again: trades are waited for until REST has filled their gaps, no live book
 * may have an open gap, every recorder must stop cleanly, and then all that is stored is held against the truth.
 */
export async function judge(world: World, samples: number): Promise<Verdict> {
  world.scenario = 'the end'
  await until(world, 'rows of this moment', NOT_STORED, [new Date(Number(world.clock.wallNs() / 1_000_000n))])
  await until(world, 'trades that REST has filled', UNFILLED)
  for (const { found } of await world.postgres.query<{ found: string }>(OPEN_GAPS_OF_LIVE_BOOKS)) world.violated(found)
  const untilNs = world.clock.wallNs()
  for (const recorder of world.running) await recorder.stop()
  for (const query of [OPEN_EPOCHS, WRONG_AUDITS]) {
    for (const { found } of await world.postgres.query<{ found: string }>(query)) world.violated(found)
  }
  for (const recorder of [...world.recorders.values(), ...world.retired]) {
    const { line, unasked, log, peakMemoryBytes } = recorder
    if (peakMemoryBytes > MAX_MEMORY_BYTES) world.violated(`line ${line} took ${peakMemoryBytes} bytes of memory`)
    for (const end of unasked) world.violated(`line ${line} ended unasked: ${end}`)
    for (const bug of log.bugs) world.violated(`line ${line} says: ${bug}`)
    for (const leak of new Set(log.leaks)) world.violated(`line ${line} tells the password in ${leak}`)
  }
  for (const sentence of (await verifyAll(world.postgres.url)).sentences) world.violated(`verify finds: ${sentence}`)
  const { epochs, gaps, faults } = await findLedgerFaults(world.postgres)
  const trades = await findTradeFaults(world, untilNs)
  const books = await findBookFaults(world, samples)
  for (const fault of [...faults, ...trades.faults, ...books.faults]) world.violated(fault)
  const changes = await world.postgres
    .connected((client) => assertStoredTruth(client, world.exchange.exchange))
    .catch((error: unknown) => {
      world.violated(`what is stored is not what happened: ${error instanceof Error ? error.message : String(error)}`)
      return 0
    })
  return { epochs, gaps, changes, trades: trades.compared, books: books.compared }
}

/** Memory stays flat whatever happens: the backlog is the journal (G11). */
const MAX_MEMORY_BYTES = 512 * 2 ** 20

/** Waits until the query, asked of the running lines, finds nothing any more. */
async function until(world: World, what: string, query: string, values: readonly unknown[] = []): Promise<void> {
  const patience = AbortSignal.timeout(STORED_PATIENCE_MS)
  for (;;) {
    const waiting = await world.postgres.query<{ found: string }>(query, [
      world.running.map(({ line }) => line),
      ...values,
    ])
    if (waiting.length === 0) return
    if (patience.aborted) return world.violated(`no ${what} in ${STORED_PATIENCE_MS} ms, but ${waiting[0]?.found}`)
    await delay(LOOK_AGAIN_MS)
  }
}

/** Pages of trades come once a second at most, and a page that failed is asked for again after half a minute. */
const STORED_PATIENCE_MS = 180_000
const LOOK_AGAIN_MS = 200

/** What a line has not stored of the time up to $2. A recorder that waits before it tries again would stop without it. */
const NOT_STORED = `select 'line ' || line || ' is stored until ' || max(recorded_until) as found
  from booktape.journals where line = any($1) group by line having max(recorded_until) < $2`

/** A gap of trades is closed when they come again, and filled when REST was read. */
const UNFILLED = `select 'gap ' || gap_id || ' of ' || symbol || ' on line ' || line || ' (' || cause || ') is ' || state as found
  from market.gaps where stream = 'trades' and state <> 'filled' and line = any($1)`

/** No fault of a run changes a number, so the recorder's own audits must find nothing. */
const WRONG_AUDITS = `select 'an audit (' || method || ') of ' || symbol || ' ' || feed || ' on line ' || line || ' found ' || levels_different || ' levels different' as found
  from market.audits where result <> 'equal'`

const OPEN_EPOCHS = `select 'every recorder was stopped, and epoch ' || epoch_id || ' of ' || symbol || ' ' || feed || ' on line ' || line || ' is open' as found
  from market.epochs where ended_at is null`

const OPEN_GAPS_OF_LIVE_BOOKS = `select 'an open gap of a live book: ' || g.gap_id || ' of ' || g.stream || ', ' || g.symbol || ' ' || g.feed || ' on line ' || g.line as found
  from market.gaps g where g.ended_at is null and exists (
    select from market.epochs e
    where e.line = g.line and e.feed = g.feed and e.symbol = g.symbol and e.ended_at is null)`

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Client } from 'pg'
import { percentile } from './measure.ts'
import type { PeerEnd, PeerReport } from './peer-recorder.ts'
import { nodeOnOwnCore } from './pinning.ts'
import { startReaders } from './readers.ts'
import { histogramPercentile, MeasuredProcess, RecorderProcess } from './recorder-process.ts'
import type { BenchServer } from './server.ts'
import { storedDigests } from './stored-book.ts'
import { startVenue, type VenueOptions } from './venue.ts'
import { makeWorkload, type Workload } from './workload.ts'

/** What one run of a recording process came to. */
export type RunFigures = Readonly<{
  messagesPerSecond: number // from the first sent to the last committed
  cpuShare: number // of one core, in that time
  cpuMicroseconds: number // a message
  residentMib: number
  lagP50Ms: number
  lagP99Ms: number
  answersPerSecond: number // of those who read meanwhile
  correct: boolean
  complaint: string // why it is not correct
}>

export type RunPlan = Readonly<{
  venue: VenueOptions
  framesPerSecond: number | null // null: as fast as they are read
  profileDirectory: string | null
  readers?: number // processes that query the same database meanwhile
}>

const POLL_MS = 20
/** Far above what any run takes: whoever reaches it hangs, and must say so. */
const PATIENCE_MS = 180_000

export function planOf(
  shape: Readonly<{ symbols: number; levelsPerSide: number; framesPerCycle: number; cycles: number; seed: number }>,
): Readonly<{ venue: VenueOptions; works: readonly Workload[]; messages: number; changes: number }> {
  const { symbols, levelsPerSide, framesPerCycle, cycles, seed } = shape
  const shapes = Array.from({ length: symbols }, (_, i) => ({
    symbol: `s${i}usd`,
    levelsPerSide,
    frames: framesPerCycle,
    seed: seed + i,
  }))
  const works = shapes.map(makeWorkload)
  return {
    venue: { works: shapes, framesPerCycle, cycles },
    works,
    messages: symbols * framesPerCycle * cycles,
    changes: works.reduce((sum, work) => sum + work.changes, 0) * cycles,
  }
}

/** booktape: socket, synced journal, exact book, committed rows; its books and rows are read back from Postgres. */
export async function runRecorder(
  server: BenchServer,
  directory: string,
  plan: RunPlan,
  works: readonly Workload[],
  totals: Readonly<{ messages: number; changes: number }>,
): Promise<RunFigures> {
  const venue = await startVenue(plan.venue)
  const database = await server.freshDatabase()
  const recorder = startRecorder(database.url, join(directory, `recorder-${database.name}`), venue.port, plan, works)
  try {
    await recorder.started()
    await Promise.race([venue.subscribed, recorder.ended])
    await until(recorder, async () => (await liveEpochs(database.client)).length === works.length)
    const lastIds = lastIdsOf(works, plan.venue.cycles)
    const readers = plan.readers === undefined ? null : startReaders(database.url, plan.readers)
    const isCommitted = async (): Promise<boolean> => await isAllCommitted(database.client, lastIds)
    const spent = await spend(recorder, venue.go, plan, totals.messages, isCommitted)
    const answersPerSecond = (await readers?.stop()) ?? 0
    const metrics = await recorder.metrics()
    const complaint = await complaintOf(database.client, works, lastIds, totals.changes)
    return {
      ...spent,
      answersPerSecond,
      lagP50Ms: histogramPercentile(metrics, 'booktape_commit_lag_seconds', 0.5) * 1e3,
      lagP99Ms: histogramPercentile(metrics, 'booktape_commit_lag_seconds', 0.99) * 1e3,
      correct: complaint === '',
      complaint,
    }
  } finally {
    await recorder.stop()
    await venue.stop()
    await database.close()
  }
}

/** The usual parts put together; `peer-recorder.ts`. */
export async function runPeer(
  server: BenchServer,
  plan: RunPlan,
  works: readonly Workload[],
  totals: Readonly<{ messages: number; changes: number }>,
): Promise<RunFigures> {
  const venue = await startVenue(plan.venue)
  const database = await server.freshDatabase()
  const { command, before } = nodeOnOwnCore
  const child = fork(
    fileURLToPath(new URL('peer-recorder.ts', import.meta.url)),
    [`ws://127.0.0.1:${venue.port}/`, database.url, works.map(({ symbol }) => symbol).join()],
    { execPath: command, execArgv: [...before] },
  )
  const peer = new MeasuredProcess(child)
  const ask = async <Answer>(what: 'report' | 'digests'): Promise<Answer> => {
    child.send(what)
    const [answer] = (await Promise.race([once(child, 'message'), failWhen(peer)])) as [Answer]
    return answer
  }
  try {
    await Promise.race([venue.subscribed, failWhen(peer)])
    const lagsMs: number[] = []
    const isCommitted = async (): Promise<boolean> => {
      const report = await ask<PeerReport>('report')
      lagsMs.push(...report.lagsMs)
      return report.committedChanges >= totals.changes
    }
    const spent = await spend(peer, venue.go, plan, totals.messages, isCommitted)
    const { digests } = await ask<PeerEnd>('digests')
    const { rows } = await database.client.query<{ count: string }>('select count(*) as count from public.book_changes')
    const complaint = [
      ...works.filter((work) => digests[work.symbol] !== work.digest).map(({ symbol }) => `another book of ${symbol}`),
      ...(Number(rows[0]?.count) === totals.changes ? [] : [`${rows[0]?.count} rows of ${totals.changes}`]),
    ].join('; ')
    return {
      ...spent,
      answersPerSecond: 0,
      lagP50Ms: percentile(lagsMs, 0.5),
      lagP99Ms: percentile(lagsMs, 0.99),
      correct: complaint === '',
      complaint,
    }
  } finally {
    await peer.stop()
    await venue.stop()
    await database.close()
  }
}

/** `booktape record` of the new API's books, from a venue of this machine. */
export function startRecorder(
  databaseUrl: string,
  directory: string,
  venuePort: number,
  { profileDirectory }: Pick<RunPlan, 'profileDirectory'>,
  works: readonly Workload[],
): RecorderProcess {
  const environment = {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: databaseUrl,
    BOOKTAPE_DATA_DIR: directory,
    BOOKTAPE_SYMBOLS: works.map(({ symbol }) => symbol).join(),
    BOOKTAPE_FEEDS: 'ws',
    BOOKTAPE_GEMINI_V1_URL: `ws://127.0.0.1:${venuePort}`,
    BOOKTAPE_GEMINI_WS_URL: `ws://127.0.0.1:${venuePort}`,
    BOOKTAPE_GEMINI_REST_URL: `http://127.0.0.1:${venuePort}`,
  }
  return new RecorderProcess(environment, profileDirectory)
}

/** Of each symbol, after all cycles. */
export function lastIdsOf(works: readonly Workload[], cycles: number): ReadonlyMap<string, bigint> {
  const span = (work: Workload): bigint => (work.frames.at(-1)?.lastUpdateId ?? 0n) - work.snapshotId
  return new Map(works.map((work) => [work.symbol, work.snapshotId + span(work) * BigInt(cycles)]))
}

/**
 * Asked again and again while the recorder writes, on the core that Postgres has: one symbol by a plan that is kept, and all of
 * them only when that one is through. Asking for all each time took more of Postgres's time than storing did.
 */
export async function isAllCommitted(client: Client, lastIds: ReadonlyMap<string, bigint>): Promise<boolean> {
  const [[symbol, last] = []] = lastIds
  const { rows } = await client.query<{ last: string }>({
    name: 'last of one',
    text: 'select last_update_id::text as last from market.epochs where symbol = $1 and ended_at is null',
    values: [symbol],
  })
  if (rows.length !== 1 || rows[0]?.last !== last?.toString()) return false
  return (await liveEpochs(client)).every((epoch) => BigInt(epoch.last) === lastIds.get(epoch.symbol))
}

async function spend(
  measured: MeasuredProcess,
  go: (framesPerSecond: number | null) => void,
  plan: RunPlan,
  messages: number,
  isCommitted: () => Promise<boolean>,
): Promise<Pick<RunFigures, 'messagesPerSecond' | 'cpuShare' | 'cpuMicroseconds' | 'residentMib'>> {
  const cpuBefore = measured.cpuSeconds()
  const start = performance.now()
  go(plan.framesPerSecond)
  await until(measured, isCommitted)
  const seconds = (performance.now() - start) / 1e3
  const cpuSeconds = measured.cpuSeconds() - cpuBefore
  return {
    messagesPerSecond: messages / seconds,
    cpuShare: cpuSeconds / seconds,
    cpuMicroseconds: (cpuSeconds / messages) * 1e6,
    residentMib: measured.peakMib(),
  }
}

/** The public face of storage tells how far it is. */
export async function liveEpochs(client: Client): Promise<{ symbol: string; last: string }[]> {
  const { rows } = await client.query<{ symbol: string; last: string }>(
    'select symbol, last_update_id::text as last from market.epochs where ended_at is null',
  )
  return rows
}

/** What is stored against what was sent; empty where it is the same. */
export async function complaintOf(
  client: Client,
  works: readonly Workload[],
  lastIds: ReadonlyMap<string, bigint>,
  changes: number,
): Promise<string> {
  const digests = await storedDigests(client, lastIds)
  const { rows } = await client.query<{ changes: string; gaps: string }>(
    `select (select count(*) from market.book_changes where not is_snapshot)::text as changes,
            (select count(*) from market.gaps)::text as gaps`,
  )
  const [stored] = rows
  return [
    ...works
      .filter((work) => digests.get(work.symbol) !== work.digest)
      .map(({ symbol }) => `another book of ${symbol}`),
    ...(stored?.gaps === '0' ? [] : [`${stored?.gaps} gaps`]),
    ...(Number(stored?.changes) === changes ? [] : [`${stored?.changes} changes of ${changes}`]),
  ].join('; ')
}

export async function until(measured: MeasuredProcess, condition: () => Promise<boolean>): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  while (!(await condition())) {
    if (measured.isOver || patience.aborted) {
      const what = measured.isOver ? 'the process ended' : `nothing came of it in ${PATIENCE_MS / 1e3} s`
      throw new Error(`${what}: ${measured instanceof RecorderProcess ? measured.complaints.slice(0, 4_000) : ''}`)
    }
    await delay(POLL_MS)
  }
}

async function failWhen(measured: MeasuredProcess): Promise<never> {
  await measured.ended
  throw new Error('the peer ended')
}

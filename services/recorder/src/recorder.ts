import { randomUUID } from 'node:crypto'
import { Journal } from '@booktape/journal'
import { type Clock, type Logger, linkSignals } from '@booktape/runtime'
import { type RunSettings, TICK_MS } from '@booktape/session'
import { type Assembly, assemble } from './assembly.ts'
import type { RecorderConfig } from './config.ts'
import type { Corridor } from './corridor.ts'
import { listSymbols, refreshInstruments } from './instruments.ts'
import { DamageFoundError, LostEntriesError, type Scribe } from './scribe.ts'
import { symbolsOfShard } from './shard.ts'

/** How long a stop waits for Postgres to take the rest; the journal keeps what it does not take. */
const DRAIN_DEADLINE_MS = 18_000
/** Written segments are let go, partitions made ahead, and messages settled, this often. */
const HOUSEKEEPING_INTERVAL_MS = 600_000

export type RecorderParts = Readonly<{
  config: RecorderConfig
  databaseUrl: string
  journalDirectory: string
  clock: Clock
  log: Logger
  version: string
  /** Stop dialing, store the rest, end. */
  stopping: AbortSignal
  /** Make durable what is in memory and go. */
  hurrying?: AbortSignal
  /** The recorder listens and dials; for whoever shows it to people. */
  onStarted?: (
    started: Readonly<{ httpUrl: string; symbols: readonly string[]; corridor: Corridor; scribe: Scribe }>,
  ) => void
}>

/**
 * Records until `stopping` fires. Rejects with a `ConfigError` for what the operator must mend, with anything else for a
 * fault of ours or of the disk. A journal that does not give back what it was given is no such fault: what is lost is
 * disclosed, and recording begins anew.
 */
export async function record(parts: RecorderParts): Promise<void> {
  let isSuccessor = false
  for (;;) {
    try {
      return await recordOnJournal(parts, isSuccessor)
    } catch (error) {
      if (error instanceof LostEntriesError) {
        await Journal.retire(parts.journalDirectory)
        isSuccessor = true
      } else if (!(error instanceof DamageFoundError)) throw error
      parts.log.error({ error }, 'the journal does not give back what was written down: beginning anew')
    }
  }
}

/** The life of one assembly: start, record, stop, take apart. */
async function recordOnJournal(parts: RecorderParts, isSuccessor: boolean): Promise<void> {
  const { config, clock, log, stopping } = parts
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => undefined) // also when it fails while nobody waits
  const ending = new AbortController()
  const asking = linkSignals(stopping, ending.signal) // for what is of no use to a recorder that stops
  const assembly = await assemble({ ...parts, isSuccessor, asking: asking.signal, onFailure: failure.reject })
  const { journal, database, corridor, scribe, fleet, rest, admin, board, now } = assembly
  const drained = new AbortController()
  const timers: NodeJS.Timeout[] = []
  const work: Promise<unknown>[] = []
  try {
    const address = await admin.start(config.httpHost, config.httpPort)
    const storing = scribe.run(drained.signal)
    storing.catch(failure.reject)
    const listed = config.symbols === 'all' ? await listSymbols(rest, clock, log, stopping) : config.symbols
    const symbols = symbolsOfShard(listed, config.shard, config.shards)
    if (!stopping.aborted) {
      corridor.note({ kind: 'started', at: now(), run: runSettings(config, symbols) })
      if (symbols.length === 0) log.warn({ shard: config.shard, of: config.shards }, 'no symbol hashes to this shard')
      const tick = newTick(assembly, config, log)
      timers.push(setInterval(() => void tick().catch(failure.reject), TICK_MS))
      let housekeeping: Promise<void> | null = null // one at a time: after an update there may be days to settle
      const keepHouse = (): void => {
        housekeeping ??= housekeep(assembly, clock, log).finally(() => {
          housekeeping = null
        })
      }
      timers.push(setInterval(keepHouse, HOUSEKEEPING_INTERVAL_MS))
      const note = (body: string): void => corridor.note({ kind: 'symbol_details', at: now(), body })
      work.push(refreshInstruments(symbols, { rest, clock, log, note }, asking.signal))
      log.info({ symbols, feeds: config.feeds, line: config.line, http: address.url }, 'recording')
      parts.onStarted?.({ httpUrl: address.url, symbols, corridor, scribe })
      await Promise.race([untilAborted(stopping), failure.promise])
    }
    for (const timer of timers) clearInterval(timer)
    fleet.close()
    corridor.note({ kind: 'stopped', at: now() })
    await journal.sync()
    await corridor.saveCheckpoint()
    await drain(scribe, parts.hurrying, clock, log)
    drained.abort()
    if (scribe.backlog > 0) database.abandon() // a batch may wait long for a database that has fallen silent
    await Promise.race([storing, failure.promise])
  } finally {
    ending.abort()
    asking.release()
    drained.abort()
    for (const timer of timers) clearInterval(timer)
    fleet.close()
    await Promise.allSettled(work)
    await admin.stop()
    await board?.close()
    await journal.close().catch((error: unknown) => log.error({ error }, 'the journal could not be closed'))
    await database.close()
  }
}

function runSettings(config: RecorderConfig, symbols: readonly string[]): RunSettings {
  const { line, feeds, v1Url, wsUrl, snapshotIntervalMs, rotateAfterMs } = config
  return { runId: randomUUID(), line, symbols, feeds, v1Url, wsUrl, snapshotIntervalMs, rotateAfterMs }
}

/**
 * What happens every TICK_MS: time passes in the journal, and the sockets are held back where the disk cannot keep up. A crowded
 * journal lets go of what was written; a full one ends all connections, and the room that is left is for saying so.
 */
function newTick({ journal, fleet, corridor, scribe, now }: Assembly, config: RecorderConfig, log: Logger) {
  let isFull = false
  let isReleasing = false
  return async (): Promise<void> => {
    if (journal.isFull !== isFull) {
      isFull = journal.isFull
      if (isFull) fleet.hold()
      else fleet.release()
      corridor.note({ kind: isFull ? 'suspended' : 'resumed', at: now() })
      const sizes = { journalBytes: journal.bytes, limit: config.journalLimitBytes }
      if (isFull)
        log.error(
          sizes,
          'the journal is full: nothing is recorded until the database has caught up (BOOKTAPE_JOURNAL_LIMIT)',
        )
      else log.info(sizes, 'there is room in the journal again')
    }
    if (isFull) return await release(journal, scribe, now().wallNs)
    if (journal.isCrowded && !isReleasing) {
      isReleasing = true
      release(journal, scribe, now().wallNs)
        .catch((error: unknown) => log.warn({ error }, 'written segments of the journal could not be deleted'))
        .finally(() => {
          isReleasing = false
        })
    }
    if (journal.shouldPause) fleet.pause()
    else if (journal.shouldResume) fleet.resume()
    corridor.note({ kind: 'tick', at: now() })
  }
}

async function housekeep(assembly: Assembly, clock: Clock, log: Logger): Promise<void> {
  const { journal, scribe, makeContact, settle, housekept } = assembly
  try {
    await release(journal, scribe, clock.wallNs())
    await makeContact()
    await settle()
    housekept()
  } catch (error) {
    log.warn({ error }, 'housekeeping failed: tried again in ten minutes')
  }
}

async function release(journal: Journal, scribe: Scribe, nowNs: bigint): Promise<void> {
  if (scribe.writtenPosition !== null) await journal.release(scribe.writtenPosition, nowNs)
}

/** Until Postgres has everything, or the deadline, or a second signal; what is left stays in the journal. */
async function drain(scribe: Scribe, hurrying: AbortSignal | undefined, clock: Clock, log: Logger): Promise<void> {
  scribe.drain()
  const deadlineNs = clock.monoNs() + BigInt(DRAIN_DEADLINE_MS) * 1_000_000n
  const isWorthIt = (): boolean => scribe.isReachable && clock.monoNs() < deadlineNs && hurrying?.aborted !== true
  while (scribe.backlog > 0 && isWorthIt()) await clock.sleep(20)
  if (scribe.backlog === 0) return
  log.warn(
    { entries: scribe.backlog },
    'not everything is in the database: the next start stores the rest from the journal',
  )
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

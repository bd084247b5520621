import { randomUUID } from 'node:crypto'
import { Journal, type JournalError } from '@booktape/journal'
import { type Clock, createAdminServer, createMetrics, type Logger } from '@booktape/runtime'
import { type RunSettings, TICK_MS } from '@booktape/session'
import { openDatabase, Writer } from '@booktape/store'
import { createRestClient, createVenueBudgets, openSocket } from '@booktape/transport'
import { fastForward, loadCheckpoint } from './checkpoint.ts'
import type { RecorderConfig } from './config.ts'
import { makeContact } from './contact.ts'
import { Corridor } from './corridor.ts'
import { Fleet } from './fleet.ts'
import { listSymbols, refreshInstruments } from './instruments.ts'
import { Observer } from './observe.ts'
import { type Commit, missingForReady } from './readiness.ts'
import { DamageFoundError, LostEntriesError, Scribe } from './scribe.ts'
import { symbolsOfShard } from './shard.ts'
import { statusPage } from './status-page.ts'
import { fetchTrades } from './trade-pages.ts'

/** One batch at a time, and a spare for the daily work. */
const DATABASE_CONNECTIONS = 3
/** How long a stop waits for Postgres to take the rest; the journal keeps what it does not take. */
const DRAIN_DEADLINE_MS = 18_000
const FULL = 'the journal is full: nothing is recorded until the database has caught up (BOOKTAPE_JOURNAL_LIMIT)'
/** Written segments are let go, and partitions made ahead, this often. */
const HOUSEKEEPING_INTERVAL_MS = 600_000
const HTML = 'text/html; charset=utf-8'

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
 * Records until `stopping` fires: puts the corridor together, starts it, and takes it apart again. Rejects with a `ConfigError`
 * for what the operator must mend, with anything else for a fault of ours or of the disk.
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

async function recordOnJournal(parts: RecorderParts, isSuccessor: boolean): Promise<void> {
  const { config, clock, log, stopping } = parts
  const metrics = createMetrics({ version: parts.version })
  const observer = new Observer(metrics, log)
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => undefined) // also when it fails while nobody waits

  const journal = await Journal.open(parts.journalDirectory, {
    retentionMs: config.journalRetentionMs,
    limitBytes: config.journalLimitBytes,
    onFailure: (error: JournalError) => failure.reject(error),
  })
  if (journal.recovery.damage !== null) {
    log.error(
      { ...journal.recovery.damage },
      'the journal was damaged: what followed the damage is set aside and will be a gap',
    )
  }
  const database = openDatabase(parts.databaseUrl, { applicationName: 'booktape recorder', max: DATABASE_CONNECTIONS })
  const now = () => ({ wallNs: clock.wallNs(), monoNs: clock.monoNs() })
  const ending = new AbortController()
  const asking = AbortSignal.any([stopping, ending.signal]) // for what is of no use to a recorder that stops
  const admin = createAdminServer({
    routes: {
      '/livez': async () => plain(200, 'alive'),
      '/readyz': async () => {
        const missing = missingForReady(corridor.state, lastCommit, clock.monoNs())
        return missing.length === 0 ? plain(200, 'ready') : plain(503, missing.join('\n'))
      },
      '/metrics': async () => {
        observer.gauge(corridor.state, clock.monoNs(), journal.bytes, scribe.backlog)
        return { status: 200, contentType: metrics.registry.contentType, body: await metrics.registry.metrics() }
      },
      ...(config.statusPage ? { '/': async () => ({ status: 200, contentType: HTML, body: look() }) } : {}),
    },
    onError: (path, error) => log.error({ path, error }, 'a request could not be answered'),
  })

  let lastCommit: Commit | null = null
  const sinceCommitMs = (): number | null =>
    lastCommit === null ? null : Number((clock.monoNs() - lastCommit.monoNs) / 1_000_000n)

  const newest = await loadCheckpoint(journal, journal.syncedPosition, isSuccessor)
  const live = await fastForward(journal, newest, journal.syncedPosition)
  const writer = new Writer(database, { journalId: journal.journalId, line: config.line, shard: config.shard })
  const today = (): string => new Date(Number(clock.wallNs() / 1_000_000n)).toISOString().slice(0, 10)
  const scribe = new Scribe({
    journal,
    live,
    isSuccessor,
    writer: {
      readPosition: async () => {
        await makeContact(database, config.venue, today(), log)
        return await writer.readPosition()
      },
      write: (batch) => writer.write(batch),
    },
    clock,
    events: {
      committed: (batch, result) => {
        lastCommit = { monoNs: clock.monoNs(), recordedUntilNs: batch.recordedUntilNs }
        observer.committed(batch, result.outcome === 'committed' ? result.rows : {}, clock.wallNs())
        for (const conflict of result.outcome === 'committed' ? result.conflicts : []) {
          log.error(
            { conflict: String(conflict.tradeId), symbol: conflict.symbol },
            'a trade came twice with different content: the first is kept',
          )
        }
      },
      failed: ({ class: failureClass, reason, retryInMs }) => {
        observer.writeFailed(failureClass)
        log.warn({ class: failureClass, reason, retryInMs }, 'the database takes no rows now: they wait in the journal')
      },
      level: (isLevel) =>
        log.info(
          isLevel ? 'storing at the live edge' : 'the database is behind: it will be caught up from the journal',
        ),
    },
  })
  const budgets = createVenueBudgets({ dialsPerMinute: config.dialsPerMinute, clock })
  const rest = createRestClient({ baseUrl: config.restUrl, budget: budgets.rest, clock, random: Math.random })
  const fleet = new Fleet({
    clock,
    budget: budgets.dials,
    openSocket,
    newSessionId: randomUUID,
    note: (event) => corridor.note(event),
    onRefusedSend: (connection) => log.warn({ connection }, 'a request could not leave: the connection is closed'),
  })
  const corridor = new Corridor({
    journal,
    clock,
    live,
    scribe,
    observer,
    obey: (orders) => {
      for (const order of orders) {
        if (order.kind !== 'fetch_trades') fleet.obey([order])
        else void fetchTrades(order, rest, (page) => corridor.note({ kind: 'trades_page', at: now(), ...page }), asking)
      }
    },
    onCheckpointFailure: (error) =>
      log.warn({ error }, 'a checkpoint could not be written: the next start replays more'),
  })

  const startedNs = clock.monoNs()
  const look = (): string =>
    statusPage({
      version: parts.version,
      line: config.line,
      venue: config.venue,
      startedNs,
      now: now(),
      missing: missingForReady(corridor.state, lastCommit, clock.monoNs()),
      journalBytes: journal.bytes,
      backlog: scribe.backlog,
      sinceCommitMs: sinceCommitMs(),
      state: corridor.state,
    })
  const timers: NodeJS.Timeout[] = []
  const work: Promise<unknown>[] = []
  const drained = new AbortController()
  try {
    const address = await admin.start(config.httpHost, config.httpPort)
    const storing = scribe.run(drained.signal)
    storing.catch((error: unknown) => failure.reject(error))
    const listed = config.symbols === 'all' ? await listSymbols(rest, clock, log, stopping) : config.symbols
    const symbols = symbolsOfShard(listed, config.shard, config.shards)
    if (!stopping.aborted) {
      corridor.note({ kind: 'started', at: now(), run: runSettings(config, symbols) })
      if (symbols.length === 0)
        log.warn({ shard: config.shard, shards: config.shards }, 'no symbol hashes to this shard')
      let isFull = false
      const tick = async (): Promise<void> => {
        if (journal.isFull !== isFull) {
          isFull = journal.isFull
          if (isFull) fleet.hold()
          else fleet.release()
          corridor.note({ kind: isFull ? 'suspended' : 'resumed', at: now() })
          log.error(
            { journalBytes: journal.bytes, limit: config.journalLimitBytes },
            isFull ? FULL : 'there is room in the journal again',
          )
        }
        if (isFull) return await release() // what is left of the room is for saying so
        if (journal.shouldPause) fleet.pause()
        else if (journal.shouldResume) fleet.resume()
        corridor.note({ kind: 'tick', at: now() })
      }
      timers.push(setInterval(() => void tick().catch((error: unknown) => failure.reject(error)), TICK_MS))
      timers.push(setInterval(() => void housekeep(), HOUSEKEEPING_INTERVAL_MS))
      const note = (body: string): void => corridor.note({ kind: 'symbol_details', at: now(), body })
      work.push(refreshInstruments(symbols, { rest, clock, log, note }, asking))
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
    drained.abort()
    for (const timer of timers) clearInterval(timer)
    fleet.close()
    await Promise.allSettled(work)
    await admin.stop()
    await journal.close().catch((error: unknown) => log.error({ error }, 'the journal could not be closed'))
    await database.close()
  }

  async function release(): Promise<void> {
    const written = scribe.writtenPosition
    if (written !== null) await journal.release(written, clock.wallNs())
  }

  async function housekeep(): Promise<void> {
    try {
      await release()
      await makeContact(database, config.venue, today(), log)
    } catch (error) {
      log.warn({ error }, 'housekeeping failed: tried again in ten minutes')
    }
  }
}

function runSettings(config: RecorderConfig, symbols: readonly string[]): RunSettings {
  const { line, feeds, v1Url, wsUrl, snapshotIntervalMs } = config
  return { runId: randomUUID(), line, symbols, feeds, v1Url, wsUrl, snapshotIntervalMs }
}

/** Until Postgres has everything, or the deadline, or a second signal; what is left stays in the journal. */
async function drain(scribe: Scribe, hurrying: AbortSignal | undefined, clock: Clock, log: Logger): Promise<void> {
  scribe.drain()
  const deadlineNs = clock.monoNs() + BigInt(DRAIN_DEADLINE_MS) * 1_000_000n
  const isWorthIt = (): boolean => scribe.isReachable && clock.monoNs() < deadlineNs && hurrying?.aborted !== true
  while (scribe.backlog > 0 && isWorthIt()) {
    await clock.sleep(20)
  }
  if (scribe.backlog > 0) {
    log.warn(
      { entries: scribe.backlog },
      'not everything is in the database: the next start stores the rest from the journal',
    )
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

function plain(status: number, body: string): { status: number; contentType: string; body: string } {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` }
}

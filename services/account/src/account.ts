import { orderEventsUrl, privateWsUrl } from '@booktape/gemini'
import { Journal, type JournalError } from '@booktape/journal'
import {
  type AdminServer,
  type Clock,
  createAdminServer,
  createMetrics,
  type Logger,
  linkSignals,
  type Metrics,
} from '@booktape/runtime'
import type { Instant } from '@booktape/session'
import { AccountWriter, answerQuotes, type Database, openDatabase, StoreError, unfilledGaps } from '@booktape/store'
import { createPrivateBudget, createRestClient, createVenueBudgets, openSocket } from '@booktape/transport'
import type { AccountConfig } from './config.ts'
import { makeContact } from './contact.ts'
import { AccountCorridor } from './corridor.ts'
import type { AccountFeed } from './event.ts'
import { PrivateFleet } from './fleet.ts'
import { keepHistory, LOOKBACK_NS } from './historian.ts'
import { NonceStore } from './nonce-store.ts'
import { AccountObserver } from './observe.ts'
import { PrivateClient } from './private-client.ts'
import { keepQuoting } from './quoter.ts'
import { AccountScribe, LostEntriesError } from './scribe.ts'

/** How often the recorded books are asked what the newest quotes would have cost there. */
export const ANSWER_INTERVAL_MS = 5_000
/** How often time passes in the journal of an account whose events are recorded: the grain of the feeds' timers. */
const TICK_MS = 1_000
/** Gaps are looked for in the database, which must not be far behind the journal. */
const HISTORY_BACKLOG = 100
/** Two feeds that knock every four seconds, which is as often as the backoff lets them. */
const DIALS_PER_MINUTE = 30
const HOUSEKEEPING_INTERVAL_MS = 600_000
/** How long a stop waits for Postgres to take the rest; the journal keeps what it does not take. */
const DRAIN_DEADLINE_MS = 18_000
/** How long a stop waits for a reply that is on its way: what was offered is written down. */
const REPLY_GRACE_MS = 3_000
/** One for the batches, one for the answers, one for the gaps. */
const DATABASE_CONNECTIONS = 3
/** A page of past orders has at most 500 of some 700 bytes; a quote has a few hundred. */
const MAX_PRIVATE_BODY_BYTES = 1_048_576
/** Only the newest segments are read again at a start. */
const SEGMENT_BYTES = 8 * 2 ** 20

export type AccountParts = Readonly<{
  config: AccountConfig
  journalDirectory: string
  clock: Clock
  log: Logger
  version: string
  stopping: AbortSignal
  hurrying?: AbortSignal
  onStarted?: (started: Readonly<{ httpUrl: string }>) => void
}>

/**
 * Writes down what an account is offered, until `stopping` fires. Nothing is ever executed. Rejects with a `ConfigError` for what the
 * operator must mend, with anything else for a fault of ours or of the disk.
 */
export async function recordAccount(parts: AccountParts): Promise<void> {
  const { nonceDir, nonceKind, credentials } = parts.config
  const { fingerprint } = credentials
  const nonces = await NonceStore.open({ directory: nonceDir, fingerprint, kind: nonceKind, clock: parts.clock })
  try {
    for (;;) {
      try {
        return await recordOnJournal(parts, nonces)
      } catch (error) {
        if (!(error instanceof LostEntriesError)) throw error
        parts.log.error({ error }, 'the journal lost what it had confirmed: it is set aside and a new one begun')
        await Journal.retire(parts.journalDirectory)
      }
    }
  } finally {
    await nonces.close()
  }
}

async function recordOnJournal(parts: AccountParts, nonces: NonceStore): Promise<void> {
  const { config, clock, log, stopping } = parts
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => undefined) // also when it fails while nobody waits
  const journal = await openJournal(parts, failure.reject)
  const database = openDatabase(config.databaseUrl, { applicationName: 'booktape account', max: DATABASE_CONNECTIONS })
  const metrics = createMetrics({ version: parts.version })
  const observer = new AccountObserver(metrics, log)
  const now = (): Instant => ({ wallNs: clock.wallNs(), monoNs: clock.monoNs() })
  const corridor: AccountCorridor = new AccountCorridor({
    journal,
    obey: (orders) => fleet.obey(orders),
    observe: (observations) => observer.saw(observations),
  })
  const fleet = new PrivateFleet({
    clock,
    budget: createVenueBudgets({ dialsPerMinute: DIALS_PER_MINUTE, clock }).dials,
    nonces,
    credentials: config.credentials,
    openSocket,
    note: (event) => corridor.note(event),
  })
  const scribe = newScribe(parts, journal, database, observer, () => corridor.renew(now()))
  const admin = newAdmin(parts, metrics, () => observer.gauge(scribe.backlog, journal.bytes), scribe, corridor)
  journal.onSynced(() => scribe.wake())

  const drained = new AbortController()
  const ending = new AbortController()
  const working = linkSignals(stopping, ending.signal)
  const givingUp = new AbortController()
  const giveUp = (): void => {
    void clock.sleep(REPLY_GRACE_MS, ending.signal).then(
      () => givingUp.abort(),
      () => givingUp.abort(),
    )
  }
  stopping.addEventListener('abort', giveUp, { once: true })
  const work: Promise<unknown>[] = []
  try {
    const address = await admin.start(config.httpHost, config.httpPort)
    corridor.note({
      kind: 'started',
      at: now(),
      keyFingerprint: config.credentials.fingerprint,
      urls: urlsOf(config),
    })
    const storing = scribe.run(drained.signal)
    storing.catch(failure.reject)
    const { feeds, quotes, quoteIntervalMs } = config
    const client = newClient(config, nonces, clock)
    work.push(
      keepQuoting(
        {
          asks: quotes,
          intervalMs: quoteIntervalMs,
          client,
          clock,
          note: (event) => corridor.note(event),
          onReply: (ask, reply) => observer.replied(ask, reply),
          isHeld: () => journal.isFull,
          givingUp: givingUp.signal,
        },
        working.signal,
      ),
      every(ANSWER_INTERVAL_MS, clock, working.signal, () => answer(database, observer, log)),
      every(HOUSEKEEPING_INTERVAL_MS, clock, working.signal, () => release(journal, scribe, clock, log)),
    )
    if (feeds.length > 0) {
      work.push(
        every(TICK_MS, clock, working.signal, async () => tick(corridor, fleet, now(), log)),
        keepHistory(
          {
            client,
            credentials: config.credentials,
            clock,
            note: (event) => corridor.note(event),
            unfilledGaps: () => unfilledGaps(database, config.credentials.fingerprint, LOOKBACK_NS),
            isHeld: () => journal.isFull || !scribe.isReachable || scribe.backlog > HISTORY_BACKLOG,
            log,
          },
          working.signal,
        ),
      )
    }
    for (const each of work) each.catch(failure.reject)
    log.info({ quotes: quotes.length, feeds, venue: config.venue, http: address.url }, 'recording the account')
    parts.onStarted?.({ httpUrl: address.url })
    await Promise.race([untilAborted(stopping), failure.promise])
    await Promise.allSettled(work)
    fleet.close()
    corridor.note({ kind: 'stopped', at: now() })
    await journal.sync()
    await drain(scribe, parts.hurrying, clock, log)
    drained.abort()
    if (scribe.backlog > 0) database.abandon() // a batch may wait long for a database that has fallen silent
    await Promise.race([storing, failure.promise])
    if (scribe.backlog === 0) await answer(database, observer, log)
  } finally {
    stopping.removeEventListener('abort', giveUp)
    ending.abort()
    givingUp.abort()
    drained.abort()
    fleet.close()
    await Promise.allSettled(work)
    working.release()
    await admin.stop()
    await journal.close().catch((error: unknown) => log.error({ error }, 'the journal could not be closed'))
    await database.close()
  }
}

function urlsOf({ feeds, v1Url, wsUrl }: AccountConfig): Partial<Record<AccountFeed, string>> {
  return {
    ...(feeds.includes('v1') ? { v1: orderEventsUrl(v1Url) } : {}),
    ...(feeds.includes('ws') ? { ws: privateWsUrl(wsUrl) } : {}),
  }
}

function tick(corridor: AccountCorridor, fleet: PrivateFleet, at: Instant, log: Logger): void {
  const changed = corridor.tick(at)
  if (changed === 'full') {
    fleet.hold()
    log.error('the journal is full: no events are recorded until the database has caught up (BOOKTAPE_JOURNAL_LIMIT)')
  } else if (changed === 'room') {
    fleet.release()
    log.info('there is room in the journal again')
  }
}

async function openJournal(
  { config, journalDirectory, log }: AccountParts,
  onFailure: (error: JournalError) => void,
): Promise<Journal> {
  const { journalRetentionMs: retentionMs, journalLimitBytes: limitBytes } = config
  const journal = await Journal.open(journalDirectory, {
    retentionMs,
    limitBytes,
    maxSegmentBytes: SEGMENT_BYTES,
    onFailure,
  })
  const { damage } = journal.recovery
  if (damage !== null) log.error({ ...damage }, 'the journal was damaged: what followed is set aside')
  return journal
}

function newClient(config: AccountConfig, nonces: NonceStore, clock: Clock): PrivateClient {
  const rest = createRestClient({
    baseUrl: config.restUrl,
    budget: createPrivateBudget(clock),
    clock,
    random: Math.random,
    maxBodyBytes: MAX_PRIVATE_BODY_BYTES,
  })
  return new PrivateClient({ rest, credentials: config.credentials, nonces, clock })
}

/** Nothing is stored before the database is known to be the right one. */
function newScribe(
  { config, clock, log }: AccountParts,
  journal: Journal,
  database: Database,
  observer: AccountObserver,
  onDamage: () => void,
): AccountScribe {
  const writer = new AccountWriter(database, journal.journalId)
  return new AccountScribe({
    journal,
    clock,
    writer: {
      readPosition: async (state) => {
        await makeContact(database, config.venue, log)
        return await writer.readPosition(state)
      },
      write: (batch) => writer.write(batch),
    },
    events: {
      committed: (rows) => observer.stored(rows),
      damaged: (reason) => {
        log.error({ reason }, 'a part of the journal cannot be read again')
        onDamage()
      },
      failed: (failed) => observer.writeFailed(failed),
    },
  })
}

/** Health and metrics, as of a recorder (contract, section 4). */
function newAdmin(
  { log }: AccountParts,
  metrics: Metrics,
  gauge: () => void,
  scribe: Pick<AccountScribe, 'isReachable' | 'writtenPosition'>,
  corridor: Pick<AccountCorridor, 'missing'>,
): AdminServer {
  const plain = (status: number, body: string) => ({
    status,
    contentType: 'text/plain; charset=utf-8',
    body: `${body}\n`,
  })
  return createAdminServer({
    routes: {
      '/livez': async () => plain(200, 'alive'),
      '/readyz': async () => {
        if (scribe.writtenPosition === null) return plain(503, 'the database has not been reached yet')
        if (!scribe.isReachable) return plain(503, 'the database takes no rows now')
        const { missing } = corridor
        return missing.length === 0 ? plain(200, 'ready') : plain(503, `not heard now: ${missing.join(', ')}`)
      },
      '/metrics': async () => {
        gauge()
        return { status: 200, contentType: metrics.registry.contentType, body: await metrics.registry.metrics() }
      },
    },
    onError: (path, error) => log.error({ path, error }, 'a request could not be answered'),
  })
}

/** The books may be away, or not recorded at all: the quotes wait. */
async function answer(database: Database, observer: AccountObserver, log: Logger): Promise<void> {
  try {
    observer.priced(await answerQuotes(database))
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    log[error.code === 'AWAY' ? 'debug' : 'error']({ reason: error.message }, 'the recorded books could not be asked')
  }
}

/** Written segments go when they are old. The state is in the database, so a checkpoint says only that no replay needs them. */
async function release(journal: Journal, scribe: AccountScribe, clock: Clock, log: Logger): Promise<void> {
  const { writtenPosition } = scribe
  if (writtenPosition === null || writtenPosition === 0) return
  try {
    await journal.writeCheckpoint(writtenPosition, new Uint8Array(1))
    await journal.release(writtenPosition, clock.wallNs())
  } catch (error) {
    log.warn({ error }, 'old segments of the journal could not be let go')
  }
}

async function every(ms: number, clock: Clock, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(ms, signal).catch(() => undefined)
    if (!signal.aborted) await work()
  }
}

/** Until Postgres has everything, or the deadline, or a second signal; what is left stays in the journal. */
async function drain(
  scribe: AccountScribe,
  hurrying: AbortSignal | undefined,
  clock: Clock,
  log: Logger,
): Promise<void> {
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

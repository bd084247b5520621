import { randomUUID } from 'node:crypto'
import { Journal, type JournalError } from '@booktape/journal'
import { type AdminServer, type Clock, createAdminServer, createMetrics, type Logger } from '@booktape/runtime'
import type { Instant, Order } from '@booktape/session'
import { type Database, defaultPartitionRows, openDatabase, settle, Writer } from '@booktape/store'
import { createRestClient, createVenueBudgets, openSocket, type RestClient } from '@booktape/transport'
import { fastForward, loadCheckpoint } from './checkpoint.ts'
import type { RecorderConfig } from './config.ts'
import { makeContact } from './contact.ts'
import { Corridor } from './corridor.ts'
import { Fleet } from './fleet.ts'
import { Observer } from './observe.ts'
import { pages } from './pages.ts'
import { type Commit, missingForReady } from './readiness.ts'
import { isRestOrder, obeyRest } from './rest-orders.ts'
import { type BatchWriter, Scribe, type ScribeEvents } from './scribe.ts'
import { StatusBoard } from './status-board.ts'
import { statusPage } from './status-page.ts'

/** A start after a kill replays the part of a segment since its checkpoint: a second or two of work at this size. */
const SEGMENT_BYTES = 32 * 2 ** 20
/** One batch at a time, and a spare for the daily work. */
const DATABASE_CONNECTIONS = 3

export type AssemblyParts = Readonly<{
  config: RecorderConfig
  databaseUrl: string
  journalDirectory: string
  clock: Clock
  log: Logger
  version: string
  /** Another journal went before this one, and was lost. */
  isSuccessor: boolean
  /** Ends what is asked of the venue's REST. */
  asking: AbortSignal
  /** The disk failed: the process must end. */
  onFailure: (error: JournalError) => void
}>

/** The corridor with its doors: everything there is, joined, and nothing moving yet. */
export type Assembly = Readonly<{
  journal: Journal
  database: Database
  corridor: Corridor
  scribe: Scribe
  fleet: Fleet
  rest: RestClient
  admin: AdminServer
  /** Null where the status page is switched off. */
  board: StatusBoard | null
  now: () => Instant
  /** The daily look at the database: its tables, its owner, its partitions. */
  makeContact: () => Promise<void>
  /** Moves messages of past hours into chunks. */
  settle: () => Promise<void>
  /** All of the housekeeping was done. */
  housekept: () => void
}>

/** Opens the journal, brings its state to the end, and joins the parts. Throws what the journal throws. */
export async function assemble(parts: AssemblyParts): Promise<Assembly> {
  const { config, clock, log, isSuccessor } = parts
  const journal = await openJournal(parts)
  const newest = await loadCheckpoint(journal, journal.syncedPosition, isSuccessor)
  const live = await fastForward(journal, newest, journal.syncedPosition)

  const now = (): Instant => ({ wallNs: clock.wallNs(), monoNs: clock.monoNs() })
  const metrics = createMetrics({ version: parts.version })
  const observer = new Observer(metrics, log, config)
  const database = openDatabase(parts.databaseUrl, { applicationName: 'booktape recorder', max: DATABASE_CONNECTIONS })
  const contact = async (): Promise<void> => {
    await makeContact(database, config.venue, dayOf(clock), log)
    observer.foundDefaultRows(await defaultPartitionRows(database))
  }
  const settlePast = async (): Promise<void> => {
    const { changes, chunks, omittedChunks, thinnedBooks, droppedPartitions } = await settle(
      database,
      dayOf(clock),
      parts.asking,
    )
    if (chunks > 0n)
      log.info(
        { changes: String(changes), chunks: String(chunks), omittedChunks, thinnedBooks, droppedPartitions },
        'settled',
      )
  }
  let lastCommit: Commit | null = null
  const board: StatusBoard | null = config.statusPage
    ? new StatusBoard({
        identity: {
          version: parts.version,
          line: config.line,
          venue: config.venue,
          journalLimitBytes: config.journalLimitBytes,
        },
        clock,
        database: openDatabase(parts.databaseUrl, { applicationName: 'booktape status page', max: 1 }),
        state: () => corridor.state,
        missing: () => missingForReady(corridor.state, lastCommit, clock.monoNs()),
        backlog: () => scribe.backlog,
        journalBytes: () => journal.bytes,
        lastCommit: () => lastCommit,
        onError: (error) => log.error({ error }, 'the status page cannot read the coverage'),
      })
    : null
  const scribe = new Scribe({
    journal,
    live,
    isSuccessor,
    clock,
    writer: writerAfterContact(database, journal.journalId, config, contact),
    events: storingEvents(observer, board, log, clock, (commit) => {
      lastCommit = commit
    }),
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
  const obey = (orders: readonly Order[]): void => {
    for (const order of orders) {
      if (isRestOrder(order))
        void obeyRest(order, rest, (reply) => corridor.note({ ...reply, at: now() }), parts.asking)
      else fleet.obey([order])
    }
  }
  const corridor = new Corridor({
    journal,
    clock,
    live,
    scribe,
    observer: board === null ? observer : bothTold(observer, board),
    obey,
    onCheckpointFailure: (error) =>
      log.warn({ error }, 'a checkpoint could not be written: the next start replays more'),
  })

  const admin = createAdminServer({
    routes: pages({
      corridor,
      scribe,
      observer,
      metrics,
      clock,
      journalBytes: () => journal.bytes,
      waitingDials: () => fleet.waitingDials,
      lastCommit: () => lastCommit,
      statusPage: board === null ? null : statusPage(board.looks, clock),
    }),
    onError: (path, error) => log.error({ path, error }, 'a request could not be answered'),
  })
  return {
    journal,
    database,
    corridor,
    scribe,
    fleet,
    rest,
    admin,
    board,
    now,
    makeContact: contact,
    settle: settlePast,
    housekept: () => observer.housekept(clock.monoNs()),
  }
}

async function openJournal({ config, journalDirectory, log, onFailure }: AssemblyParts): Promise<Journal> {
  const { journalRetentionMs: retentionMs, journalLimitBytes: limitBytes } = config
  const journal = await Journal.open(journalDirectory, {
    retentionMs,
    limitBytes,
    maxSegmentBytes: SEGMENT_BYTES,
    onFailure,
  })
  const { damage } = journal.recovery
  if (damage !== null) log.error({ ...damage }, 'the journal was damaged: what followed is set aside and will be a gap')
  return journal
}

/** Nothing is stored before the database is known to be the right one. */
function writerAfterContact(
  database: Database,
  journalId: string,
  { line, shard }: RecorderConfig,
  contact: () => Promise<void>,
): BatchWriter {
  const writer = new Writer(database, { journalId, line, shard })
  return {
    readPosition: async () => {
      await contact()
      return await writer.readPosition()
    },
    gather: () => writer.gather(),
    write: (batch) => writer.write(batch),
  }
}

type LiveObserver = ConstructorParameters<typeof Corridor>[0]['observer']

function bothTold(observer: Observer, board: StatusBoard): LiveObserver {
  return {
    observe: (event, step) => {
      observer.observe(event, step)
      board.observe(event, step)
    },
    journalSynced: (tookSeconds) => observer.journalSynced(tookSeconds),
  }
}

function storingEvents(
  observer: Observer,
  board: StatusBoard | null,
  log: Logger,
  clock: Clock,
  onCommit: (commit: Commit) => void,
): ScribeEvents {
  return {
    committed: (batch, result) => {
      onCommit({ monoNs: clock.monoNs(), recordedUntilNs: batch.recordedUntilNs })
      board?.committed(batch.records, clock.wallNs())
      observer.committed(batch.records, result.outcome === 'committed' ? result.rows : {}, clock.wallNs())
      for (const { tradeId, symbol } of result.outcome === 'committed' ? result.conflicts : []) {
        observer.conflicted(tradeId, symbol)
      }
      if (result.outcome === 'committed') observer.poisoned(result.poison)
    },
    failed: ({ class: failureClass, reason, retryInMs }) => {
      observer.writeFailed(failureClass)
      board?.failed({ class: failureClass, reason })
      log.warn({ class: failureClass, reason, retryInMs }, 'the database takes no rows now: they wait in the journal')
    },
    level: (isLevel) =>
      log.info(isLevel ? 'storing at the live edge' : 'the database is behind: it is caught up from the journal'),
  }
}

/** `YYYY-MM-DD` in UTC, as partitions are named. */
function dayOf(clock: Clock): string {
  return new Date(Number(clock.wallNs() / 1_000_000n)).toISOString().slice(0, 10)
}

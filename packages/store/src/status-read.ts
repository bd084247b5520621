import { type Kysely, sql } from 'kysely'
import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'
import type { Tables } from './tables.ts'

/** What one symbol on one feed has in the database. Times are Postgres's text. */
export type FeedStatus = Readonly<{
  symbol: string
  feed: string
  liveLines: readonly string[] // lines whose book is known now; none: the book is not live
  recordedUntil: string | null // of the journal stored furthest
  lastReceived: string | null // of the newest book message or snapshot
  epochs: bigint
  openGaps: readonly OpenGap[]
}>

export type OpenGap = Readonly<{ gapId: string; line: string; stream: string; cause: string; startedAt: string }>

export type StoreStatus = Readonly<{ databaseBytes: bigint; feeds: readonly FeedStatus[] }>

/** Everything ever recorded into this database, by symbol and feed, as of one instant. Throws `StoreError`. */
export async function readStatus(database: Database): Promise<StoreStatus> {
  return await orStoreError(() =>
    database.queries
      .withTables<StorageTables>()
      .transaction()
      .setIsolationLevel('repeatable read') // all queries see the same instant
      .setAccessMode('read only')
      .execute(async (reading) => {
        const size = await sql<{ bytes: bigint }>`select pg_database_size(current_database()) as bytes`.execute(reading)
        const [recorded, gaps] = [await readRecorded(reading), await readGaps(reading)]
        return {
          databaseBytes: size.rows[0]?.bytes ?? 0n,
          feeds: recorded.map((feed) => ({
            ...feed,
            openGaps: gaps
              .filter((gap) => gap.symbol === feed.symbol && gap.feed === feed.feed)
              .map(({ gapId, line, stream, cause, startedAt }) => ({ gapId, line, stream, cause, startedAt })),
          })),
        }
      }),
  )
}

/** Behind the views, which would unfold every level. */
type StorageTables = {
  'booktape.known_epochs': { epoch_id: string; symbol: string; feed: string; line: string; known_until: string }
  'booktape.epochs': { symbol: string; feed: string; journal_id: string }
  'booktape.gaps': { symbol: string; feed: string; journal_id: string }
}
type Reading = Kysely<Tables & StorageTables>

type Recorded = Pick<FeedStatus, 'symbol' | 'feed' | 'liveLines' | 'recordedUntil' | 'lastReceived' | 'epochs'>

async function readRecorded(reading: Reading): Promise<readonly Recorded[]> {
  return await reading
    .with('ledger', (from) =>
      from
        .selectFrom('booktape.epochs')
        .select(['symbol', 'feed', 'journal_id'])
        .union(from.selectFrom('booktape.gaps').select(['symbol', 'feed', 'journal_id'])),
    )
    .selectFrom('ledger')
    .leftJoin('booktape.journals', 'booktape.journals.journal_id', 'ledger.journal_id')
    .select((of) => [
      'ledger.symbol',
      'ledger.feed',
      of.fn.max('recorded_until').as('recordedUntil'),
      of
        .selectFrom('booktape.known_epochs as live')
        .whereRef('live.symbol', '=', 'ledger.symbol')
        .whereRef('live.feed', '=', 'ledger.feed')
        .where('live.known_until', '=', 'infinity')
        .select(sql<string[]>`coalesce(array_agg(distinct live.line), '{}')`.as('lines'))
        .$asScalar()
        .$notNull()
        .as('liveLines'),
      of
        .selectFrom('booktape.epochs as every')
        .whereRef('every.symbol', '=', 'ledger.symbol')
        .whereRef('every.feed', '=', 'ledger.feed')
        .select((epoch) => epoch.fn.countAll<bigint>().as('epochs'))
        .$asScalar()
        .$notNull()
        .as('epochs'),
      sql<string | null>`greatest(
        (select m.received_time from booktape.book_messages m where m.symbol = ledger.symbol and m.feed = ledger.feed
         order by m.received_time desc limit 1),
        (select c.received_to from booktape.book_chunks c where c.symbol = ledger.symbol and c.feed = ledger.feed
         order by c.received_from desc limit 1),
        (select s.received_time from booktape.book_snapshots s where s.symbol = ledger.symbol and s.feed = ledger.feed
         order by s.received_time desc limit 1)
      )`.as('lastReceived'),
    ])
    .groupBy(['ledger.symbol', 'ledger.feed'])
    .orderBy('ledger.symbol')
    .orderBy('ledger.feed')
    .execute()
}

async function readGaps(reading: Reading): Promise<readonly (OpenGap & { symbol: string; feed: string })[]> {
  return await reading
    .selectFrom('market.gaps')
    .where('state', '=', 'open')
    .select(['symbol', 'feed', 'gap_id as gapId', 'line', 'stream', 'cause', 'started_at as startedAt'])
    .orderBy('started_at')
    .orderBy('gap_id')
    .execute()
}

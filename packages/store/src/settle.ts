import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'
import { inTransaction } from './transaction.ts'

/**
 * Messages moved in one transaction: seconds of work, so that it stays far below the limit of a statement, a stop need not wait for
 * it, and whoever reads meanwhile holds back little of what is cleaned up.
 */
export const MESSAGES_A_TURN = 50_000

export type Settled = Readonly<{
  messages: bigint
  changes: bigint
  chunks: bigint
  omittedChunks: number // of one line, because another keeps the same
  thinnedBooks: number
  droppedPartitions: number
}>

type Turn = Readonly<{ messages: bigint; changes: bigint; chunks: bigint }>

/**
 * Moves messages that were written some time ago from rows into chunks (docs/adr/0007-settled-chunks.md), takes away what
 * another line keeps too and whole books that are no longer needed to make others fast, and drops the partitions of days before `todayUtc` (`YYYY-MM-DD`) that are empty for it. Ends early when `stopping` fires: each turn
 * is whole by itself. May run in several processes at once, and again after a crash.
 *
 * `before` is for tests: the instant before which messages are settled, as Postgres's text.
 *
 * Throws `StoreError`; `AWAY` when a lock or the database is not to be had now.
 */
export async function settle(
  database: Database,
  todayUtc: string,
  stopping: AbortSignal,
  { before = null, messagesATurn = MESSAGES_A_TURN }: Readonly<{ before?: string | null; messagesATurn?: number }> = {},
): Promise<Settled> {
  return await orStoreError(async () => {
    const until = before ?? (await settleableBefore(database))
    let settled: Settled = {
      messages: 0n,
      changes: 0n,
      chunks: 0n,
      omittedChunks: 0,
      thinnedBooks: 0,
      droppedPartitions: 0,
    }
    if (until === null) return settled
    for (const symbol of await unsettledSymbols(database, until)) {
      for (;;) {
        if (stopping.aborted) return settled
        const turn = await settleTurn(database, symbol, until, messagesATurn)
        if (turn.messages === 0n) break
        settled = {
          ...settled,
          messages: settled.messages + turn.messages,
          changes: settled.changes + turn.changes,
          chunks: settled.chunks + turn.chunks,
        }
      }
      settled = {
        ...settled,
        omittedChunks: settled.omittedChunks + (await takenAway(database, OMIT_COPIES, symbol, until)),
        thinnedBooks: settled.thinnedBooks + (await takenAway(database, THIN_BOOKS, symbol, until)),
      }
    }
    return { ...settled, droppedPartitions: await dropEmptied(database, todayUtc) }
  })
}

async function settleableBefore(database: Database): Promise<string | null> {
  const { rows } = await database.pool.query<{ before: string | null }>(
    'select booktape.settleable_before(now()) as before',
  )
  return rows[0]?.before ?? null
}

async function unsettledSymbols(database: Database, before: string): Promise<readonly string[]> {
  const { rows } = await database.pool.query<{ symbol: string }>(
    'select symbol from booktape.unsettled_symbols($1) as symbol',
    [before],
  )
  return rows.map((row) => row.symbol)
}

async function settleTurn(database: Database, symbol: string, before: string, most: number): Promise<Turn> {
  return await inTransaction(database, async (client) => {
    const { rows } = await client.query<Turn>('select messages, changes, chunks from booktape.settle($1, $2, $3)', [
      symbol,
      before,
      most,
    ])
    return { end: 'commit', answer: rows[0] ?? { messages: 0n, changes: 0n, chunks: 0n } }
  })
}

const OMIT_COPIES = 'select booktape.omit_copies($1, $2) as taken'
const THIN_BOOKS = 'select booktape.thin_books($1, $2) as taken'

async function takenAway(database: Database, statement: string, symbol: string, before: string): Promise<number> {
  return await inTransaction(database, async (client) => {
    const { rows } = await client.query<{ taken: number }>(statement, [symbol, before])
    return { end: 'commit', answer: rows[0]?.taken ?? 0 }
  })
}

async function dropEmptied(database: Database, todayUtc: string): Promise<number> {
  return await inTransaction(database, async (client) => {
    // Readers and the writer queue up behind whoever waits for such a lock: better another time than long.
    await client.query(`set local lock_timeout = ${DROP_LOCK_TIMEOUT_MS}`)
    const { rows } = await client.query<{ dropped: number }>('select booktape.drop_emptied($1::date) as dropped', [
      todayUtc,
    ])
    return { end: 'commit', answer: rows[0]?.dropped ?? 0 }
  })
}

const DROP_LOCK_TIMEOUT_MS = 200

import type { Feed } from '@booktape/market'
import { openDatabase, orStoreError, type ReplayQuestion, storedTrades, timestampText } from '@booktape/store'
import type { PoolClient } from 'pg'
import { bookTape } from './book-tape.ts'
import { merge } from './merge.ts'
import { instantOf, type TapeClock, type TapeEvent } from './tape-event.ts'

/** Nanoseconds since 1970 UTC, or a text that Postgres reads as an instant, such as `2026-03-01T10:00:00Z`. */
export type Instant = bigint | string

export type TapeQuestion = Readonly<{
  symbols: readonly string[] // lower case
  from: Instant // by receive time
  to: Instant // exclusive
  /** One feed's books; if not given, for each symbol the one that is known first. */
  feed?: Feed
  /** `received` if not given. */
  clock?: TapeClock
  /** Books, or trades alone, if not both. */
  only?: 'books' | 'trades'
}>

/** A recording in a database, opened for reading. */
export type Tape = Readonly<{
  /**
   * Everything in a span, in order, a page of events at a time; memory stays flat. What is read is one state of the database, however
   * long it takes. Throws `StoreError`, and Postgres's own error for a question without an answer.
   */
  pages(question: TapeQuestion): AsyncGenerator<readonly TapeEvent[]>
  /** The same, an event at a time. */
  events(question: TapeQuestion): AsyncGenerator<TapeEvent>
  close(): Promise<void>
}>

/** Each symbol reads on a connection of its own, twice with trades; more symbols at once than this wait for nobody. */
export const MAX_SYMBOLS = 50
/** A page of one query, on a busy server. */
const STATEMENT_TIMEOUT_MS = 120_000

/** Nothing is asked before the first question. Throws `StoreError` `BAD_URL`. */
export function openTape(url: string, applicationName = 'booktape client'): Tape {
  const database = openDatabase(url, { applicationName, max: 2 * MAX_SYMBOLS + 1, answerTimeoutMs: null })

  async function* pages(question: TapeQuestion): AsyncGenerator<readonly TapeEvent[]> {
    const { symbols, clock = 'received', only } = question
    if (symbols.length === 0 || symbols.length > MAX_SYMBOLS) {
      throw new RangeError(`a replay is of 1 to ${MAX_SYMBOLS} symbols, not ${symbols.length}`)
    }
    const clients: PoolClient[] = []
    try {
      const snapshot = await begin(await connect(), null)
      const reading = async (): Promise<PoolClient> => {
        const client = await connect()
        await begin(client, snapshot.id)
        return client
      }
      const { fromTime, toTime, fromNs, toNs } = await bounds(clients[0] as PoolClient, question)
      const streams: AsyncGenerator<readonly TapeEvent[]>[] = []
      for (const symbol of symbols) {
        const asked: ReplayQuestion = { symbol, feed: question.feed ?? null, fromTime, toTime }
        // A trade of the same instant comes before the change that it makes.
        if (only !== 'books')
          streams.push(storedTrades(await reading(), symbol, fromTime, toTime, clock === 'exchange'))
        if (only !== 'trades') streams.push(bookTape(await reading(), asked, fromNs, toNs))
      }
      yield* merge(streams, (event) => instantOf(event, clock))
    } finally {
      for (const client of clients) client.release(true)
    }

    async function connect(): Promise<PoolClient> {
      const client = await orStoreError(() => database.pool.connect())
      clients.push(client)
      return client
    }
  }

  return {
    pages,
    async *events(question) {
      for await (const page of pages(question)) yield* page
    },
    close: () => database.close(),
  }
}

/** All connections of one question look at the database as the first one does. */
async function begin(client: PoolClient, snapshot: string | null): Promise<Readonly<{ id: string }>> {
  return await orStoreError(async () => {
    await client.query(
      `begin isolation level repeatable read read only; set local timezone = 'UTC'; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}`,
    )
    if (snapshot !== null) {
      await client.query(`set transaction snapshot '${snapshot}'`)
      return { id: snapshot }
    }
    const { rows } = await client.query<{ id: string }>('select pg_export_snapshot() as id')
    return { id: rows[0]?.id ?? '' }
  })
}

type Bounds = Readonly<{ fromTime: string; toTime: string; fromNs: bigint; toNs: bigint }>

async function bounds(client: PoolClient, { from, to }: TapeQuestion): Promise<Bounds> {
  type Row = Readonly<{ from_time: string; to_time: string; from_ns: bigint; to_ns: bigint }>
  const text = (instant: Instant): string => (typeof instant === 'string' ? instant : timestampText(instant))
  const { rows } = await orStoreError(() => client.query<Row>(BOUNDS, [text(from), text(to)]))
  const [row] = rows
  if (row === undefined) throw new RangeError('a span needs two instants')
  return { fromTime: row.from_time, toTime: row.to_time, fromNs: row.from_ns, toNs: row.to_ns }
}

const BOUNDS = `select a.from_time, a.to_time, booktape.nanoseconds(a.from_time) as from_ns, booktape.nanoseconds(a.to_time) as to_ns
from (select $1::timestamptz as from_time, $2::timestamptz as to_time) a`

import type { Feed, Instrument } from '@booktape/market'
import {
  openDatabase,
  orStoreError,
  type ReplayQuestion,
  storedInstruments,
  storedTrades,
  timestampText,
} from '@booktape/store'
import type { PoolClient } from 'pg'
import { bookTape } from './book-tape.ts'
import { merge } from './merge.ts'
import { quoteTape } from './quote-tape.ts'
import { instantOf, type TapeBook, type TapeClock, type TapeEvent, type TapeGap, type TapeQuote } from './tape-event.ts'
import { type Bounds, type TapePart, tapeParts } from './tape-parts.ts'

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

/** A part of a span in which a symbol's book is known, or is not. Half-open, in nanoseconds since 1970 UTC. */
export type Coverage = Readonly<{
  symbol: string
  feed: Feed | null // null: no feed has anything in all of the span asked for
  fromNs: bigint
  toNs: bigint
  isKnown: boolean
  /** Of the gaps that lie in it (docs/data.md); none where nothing was to be recorded. */
  causes: readonly string[]
}>

export type SpanQuestion = Omit<TapeQuestion, 'clock' | 'only'>

export type BookQuestion = Readonly<{
  symbol: string // lower case
  at: Instant // by receive time
  /** If not given, the one whose book is known then. */
  feed?: Feed
}>

/** A recording, opened for reading: in a database, or in an archive (`openArchive` of packages/archive). */
export type Tape = Readonly<{
  /**
   * Everything in a span, in order, a page of events at a time; memory stays flat. What is read of a database is one state of it, however
   * long it takes. Throws `StoreError`, and Postgres's own error for a question without an answer.
   */
  pages(question: TapeQuestion): AsyncGenerator<readonly TapeEvent[]>
  /** The same, an event at a time. */
  events(question: TapeQuestion): AsyncGenerator<TapeEvent>
  /** The whole book as it stood at an instant, changes received at that very instant included; the gap where it is not known. */
  bookAt(question: BookQuestion): Promise<TapeBook | TapeGap>
  /** Best bids and offers by receive time, a page at a time, of the feed and line whose books a replay gives. */
  quotes(question: SpanQuestion): AsyncGenerator<readonly TapeQuote[]>
  /** Where a replay knows the books: of each symbol the parts of the span, in order, leaving out no instant. */
  coverage(question: SpanQuestion): Promise<readonly Coverage[]>
  /** Increments and status as they held at an instant, of those symbols that have any. */
  instruments(symbols: readonly string[], at: Instant): Promise<readonly Instrument[]>
  close(): Promise<void>
}>

/** A page of each is held in memory. */
export const MAX_SYMBOLS = 50
/** One question reads on so many connections at most, which its symbols share. */
const READING_CONNECTIONS = 4
/** For some questions at once; a server usually allows 100. */
const MAX_CONNECTIONS = 8 * READING_CONNECTIONS
/** A page of one query, on a busy server. */
const STATEMENT_TIMEOUT_MS = 120_000

/** Nothing is asked before the first question. Throws `StoreError` `BAD_URL`. */
export function openTape(url: string, applicationName = 'booktape client'): Tape {
  const database = openDatabase(url, { applicationName, max: MAX_CONNECTIONS, answerTimeoutMs: null })

  /** Asks on as many connections as are wanted, all of which see one state of the database; they are free again with the answer. */
  async function* asking<Page>(
    answer: (reading: () => Promise<PoolClient>, first: PoolClient) => AsyncGenerator<Page>,
  ): AsyncGenerator<Page> {
    const clients: PoolClient[] = []
    const connect = async (snapshot: string | null): Promise<string> => {
      const client = await orStoreError(() => database.pool.connect())
      clients.push(client)
      return await begin(client, snapshot)
    }
    let isAnswered = false
    try {
      const snapshot = await connect(null)
      let readers = 0
      const reading = async (): Promise<PoolClient> => {
        const at = readers++ % READING_CONNECTIONS
        if (clients.length === at) await connect(snapshot)
        return clients[at] as PoolClient
      }
      yield* answer(reading, clients[0] as PoolClient)
      await Promise.all(clients.map((client) => orStoreError(() => client.query('rollback'))))
      isAnswered = true
    } finally {
      // Of whoever stopped reading, a connection may still be busy with what nobody wants any more.
      for (const client of clients) client.release(!isAnswered)
    }
  }

  const pages = (question: TapeQuestion): AsyncGenerator<readonly TapeEvent[]> =>
    asking(async function* (reading, first) {
      const { clock = 'received', only } = question
      const { instants, asked } = await read(first, question)
      const streams: AsyncGenerator<readonly TapeEvent[]>[] = []
      for (const one of asked) {
        const { symbol, fromTime, toTime } = one
        // A trade of the same instant comes before the change that it makes.
        if (only !== 'books')
          streams.push(storedTrades(await reading(), symbol, fromTime, toTime, clock === 'exchange'))
        if (only !== 'trades') streams.push(bookTape(await reading(), one, instants))
      }
      yield* merge(streams, (event) => instantOf(event, clock))
    })

  return {
    pages,
    async *events(question) {
      for await (const page of pages(question)) yield* page
    },
    quotes: (question) =>
      asking(async function* (reading, first) {
        const { instants, asked } = await read(first, question)
        const streams: AsyncGenerator<readonly TapeQuote[]>[] = []
        for (const one of asked) streams.push(quoteTape(await reading(), one, instants))
        yield* merge(streams, ({ receivedTimeNs }) => receivedTimeNs)
      }),
    async bookAt({ symbol, at, ...feed }) {
      const answers = asking(async function* (reading, first) {
        const { instants, asked } = await read(first, { symbols: [symbol], from: at, to: at, ...feed })
        const toNs = instants.fromNs + NS_PER_MICROSECOND
        for (const one of asked) {
          const until = { ...one, toTime: timestampText(toNs) }
          yield* bookTape(await reading(), until, { fromNs: instants.fromNs, toNs })
        }
      })
      for await (const [event] of answers) if (event?.kind === 'book' || event?.kind === 'gap') return event
      throw new RangeError(`no answer for ${symbol}`)
    },
    async coverage(question) {
      const coverage: Coverage[] = []
      const answers = asking(async function* (_, first) {
        const { instants, asked } = await read(first, question)
        for (const one of asked) yield await tapeParts(first, one, instants)
      })
      for await (const parts of answers) coverage.push(...parts.map(coverageOf))
      return coverage
    },
    async instruments(symbols, at) {
      const answers = asking(async function* (_, first) {
        yield await storedInstruments(first, symbols, textOf(at))
      })
      for await (const instruments of answers) return instruments
      return []
    },
    close: () => database.close(),
  }
}

function coverageOf(part: TapePart): Coverage {
  if (part.kind === 'gap') {
    const { symbol, feed, fromNs, toNs, causes } = part
    return { symbol, feed, fromNs, toNs, isKnown: false, causes }
  }
  const { symbol, feed, beginsNs } = part.span
  return { symbol, feed, fromNs: beginsNs, toNs: part.untilNs, isKnown: true, causes: [] }
}

/** All connections of one question look at the database as the first one does. */
async function begin(client: PoolClient, snapshot: string | null): Promise<string> {
  return await orStoreError(async () => {
    await client.query(
      `begin isolation level repeatable read read only; set local timezone = 'UTC'; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}`,
    )
    if (snapshot !== null) {
      await client.query(`set transaction snapshot '${snapshot}'`)
      return snapshot
    }
    const { rows } = await client.query<{ id: string }>('select pg_export_snapshot() as id')
    return rows[0]?.id ?? ''
  })
}

/** A question as Postgres is asked it, one for each symbol. */
async function read(
  client: PoolClient,
  { symbols, from, to, feed }: TapeQuestion,
): Promise<Readonly<{ instants: Bounds; asked: readonly ReplayQuestion[] }>> {
  if (symbols.length === 0 || symbols.length > MAX_SYMBOLS) {
    throw new RangeError(`a replay is of 1 to ${MAX_SYMBOLS} symbols, not ${symbols.length}`)
  }
  type Row = Readonly<{ from_time: string; to_time: string; from_ns: bigint; to_ns: bigint }>
  const { rows } = await orStoreError(() => client.query<Row>(BOUNDS, [textOf(from), textOf(to)]))
  const [row] = rows
  if (row === undefined) throw new RangeError('a span needs two instants')
  const { from_time: fromTime, to_time: toTime, from_ns: fromNs, to_ns: toNs } = row
  return {
    instants: { fromNs, toNs },
    asked: symbols.map((symbol) => ({ symbol, feed: feed ?? null, fromTime, toTime })),
  }
}

/** The grain of Postgres's instants. */
const NS_PER_MICROSECOND = 1_000n

const textOf = (instant: Instant): string => (typeof instant === 'string' ? instant : timestampText(instant))

const BOUNDS = `select a.from_time, a.to_time, booktape.nanoseconds(a.from_time) as from_ns, booktape.nanoseconds(a.to_time) as to_ns
from (select $1::timestamptz as from_time, $2::timestamptz as to_time) a`

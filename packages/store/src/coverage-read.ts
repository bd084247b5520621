import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'
import { inTransaction } from './transaction.ts'

/** One symbol on one feed. */
export type BookName = Readonly<{ symbol: string; feed: string }>

/** A span in which no line knew the book, of `market.coverage`. Instants are whole ms since 1970, the end exclusive. */
export type UncoveredSpan = BookName & Readonly<{ state: 'gap' | 'off'; fromMs: number; toMs: number }>

/** What one line missed of a book, and why; `toMs` null while it is open. */
export type MissedSpan = BookName & Readonly<{ line: string; cause: string; fromMs: number; toMs: number | null }>

/** Spans in the order of books and times; `isWhole` false where there were more than `MAX_SPANS`, the oldest left out. */
export type Coverage = Readonly<{
  uncovered: readonly UncoveredSpan[]
  missed: readonly MissedSpan[]
  isWhole: boolean
}>

/** All of Gemini with 28 gaps a book in a day; more can neither be drawn nor read, and whoever asks has other work to do meanwhile. */
export const MAX_SPANS = 20_000

/**
 * Where books were not known on any line between two instants (whole ms since 1970), and what each line says of it. `timeoutMs`: what
 * the database may take for it. Throws `StoreError`.
 */
export async function readCoverage(
  database: Database,
  asked: Readonly<{ books: readonly BookName[]; fromMs: number; toMs: number; timeoutMs: number }>,
): Promise<Coverage> {
  const { books, fromMs, toMs, timeoutMs } = asked
  return await orStoreError(() =>
    inTransaction(database, async (client) => {
      await client.query(`set transaction read only; set local statement_timeout = ${timeoutMs}`)
      const parameters = [books.map(({ symbol }) => symbol), books.map(({ feed }) => feed), fromMs, toMs, MAX_SPANS]
      const { rows: uncovered } = await client.query<UncoveredSpan>(UNCOVERED, parameters)
      const { rows: missed } = await client.query<MissedSpan>(MISSED, parameters)
      const isWhole = uncovered.length < MAX_SPANS && missed.length < MAX_SPANS
      return { end: 'rollback', answer: { uncovered, missed, isWhole } }
    }),
  )
}

const ASKED = `
  with asked as (
    select a.symbol, a.feed, to_timestamp($3::float8 / 1000) as from_time, to_timestamp($4::float8 / 1000) as to_time
    from unnest($1::text[], $2::text[]) as a(symbol, feed)
  )`
/** Whole numbers far below 2^53, so that a float holds each exactly. */
const msOf = (time: string): string => `floor(extract(epoch from ${time}) * 1000)::float8`

const UNCOVERED = `${ASKED}
  select * from (
    select a.symbol, a.feed, c.state, ${msOf('c.from_time')} as "fromMs", ${msOf('c.to_time')} as "toMs"
    from asked a cross join lateral market.coverage(a.symbol, a.feed, a.from_time, a.to_time) c
    where c.state <> 'live'
    order by c.from_time desc
    limit $5
  ) newest
  order by symbol, feed, "fromMs"`

const MISSED = `${ASKED}
  select * from (
    select a.symbol, a.feed, g.line, g.cause, ${msOf('g.started_at')} as "fromMs", ${msOf('g.ended_at')} as "toMs"
    from asked a join booktape.gaps g
      on g.symbol = a.symbol and g.feed = a.feed and g.stream = 'book' and g.started_at < a.to_time
      and (g.ended_at is null or g.ended_at > a.from_time)
    order by g.started_at desc
    limit $5
  ) newest
  order by symbol, feed, "fromMs"`

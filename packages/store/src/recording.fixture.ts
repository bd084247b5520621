import { deriveId } from '@booktape/market'
import { temporaryDatabase } from '@booktape/testkit'
import { Client } from 'pg'
import { migrate } from './migrate.ts'

/**
 * A migrated database of its own for one test file, and short words to put a recording into it row by row, so that
 * the reading side is tested without the writing side. Times are of one day: `10:00:05.25` is 2026-03-01T10:00:05.25Z.
 */
export type TestRecording = Awaited<ReturnType<typeof testRecording>>

export type Level = readonly [price: string, quantity: string]
export type TestChange = readonly [mark: string, price: string, quantity: string] // mark: a letter of book_messages.marks
export type TestEpoch = Readonly<{ id: string; symbol: string; feed: string; line: string; journal: string }>

let isSettled = false

/** From here on, messages are moved into chunks before anything is asked. */
export function storeSettled(): void {
  isSettled = true
}

export async function testRecording() {
  const database = await temporaryDatabase()
  await migrate(database.url)
  // Everything as Postgres writes it: nothing may be rounded between the database and an expectation.
  const client = new Client({ connectionString: database.url, types: { getTypeParser: () => (text: string) => text } })
  await client.connect()
  await client.query(`set timezone = 'UTC'`)
  // A connection of its own: a test's may have taken another role.
  const settler = new Client({ connectionString: database.url })
  await settler.connect()

  const insert = async (table: string, row: Readonly<Record<string, unknown>>) => {
    // These tests read what was stored, and do not verify it.
    const stored = { ...row, checksum: 0 }
    const columns = Object.keys(stored)
    const places = columns.map((_, i) => `$${i + 1}`)
    await client.query(
      `insert into booktape.${table} (${columns.join()}) values (${places.join()})`,
      Object.values(stored),
    )
  }

  const settleAll = async () => {
    if (!isSettled) return
    const { rows } = await settler.query<{ symbol: string }>(
      `select symbol from booktape.unsettled_symbols('infinity') symbol`,
    )
    // A few messages a turn, so that chunks end in many places.
    const settle = `select messages from booktape.settle($1, 'infinity', 3)`
    for (const { symbol } of rows) {
      while ((await settler.query<{ messages: string }>(settle, [symbol])).rows[0]?.messages !== '0');
    }
  }

  return {
    url: database.url,
    client,
    insert,

    /** Rows as arrays of Postgres's own texts. */
    async rows(sql: string, ...values: unknown[]): Promise<(string | null)[][]> {
      await settleAll()
      return (await client.query<(string | null)[]>({ text: sql, values, rowMode: 'array' })).rows
    },

    /** SQLSTATE and message of a statement that must fail. */
    async failure(
      sql: string,
      ...values: unknown[]
    ): Promise<Readonly<{ code: unknown; message: string; hint: unknown }>> {
      await settleAll()
      try {
        await client.query(sql, values)
      } catch (error) {
        if (error instanceof Error && 'code' in error && 'hint' in error) {
          return { code: error.code, message: error.message, hint: error.hint }
        }
        throw error
      }
      throw new Error(`this was expected to fail: ${sql}`)
    },

    /** A journal of a line; `recordedUntil` as `10:00:00`, or in SQL as `now()`. Without it nothing is stored yet. */
    async journal(name: string, line: string, recordedUntil: string | null = null): Promise<string> {
      const id = deriveId('journal', name)
      await insert('journals', { journal_id: id, line, shard: 0 })
      if (recordedUntil !== null) {
        const value = /^\d/.test(recordedUntil) ? `'${at(recordedUntil)}'` : recordedUntil
        await client.query(`update booktape.journals set recorded_until = ${value} where journal_id = $1`, [id])
      }
      return id
    },

    async epoch(
      name: string,
      of: Readonly<{
        from: string
        to?: string
        symbol?: string
        feed?: string
        line?: string
        journal: string
        ids?: readonly [first: number | string, last: number | string | null]
      }>,
    ): Promise<TestEpoch> {
      const {
        symbol = 'btcusd',
        feed = 'v1',
        line = 'a',
        journal,
        ids = [0, of.to === undefined ? null : 1_000_000],
      } = of
      const id = deriveId('epoch', name)
      await insert('epochs', {
        epoch_id: id,
        session_id: deriveId('session', name),
        journal_id: journal,
        line,
        symbol,
        feed,
        started_at: at(of.from),
        ended_at: of.to === undefined ? null : at(of.to),
        first_update_id: ids[0],
        last_update_id: ids[1],
        end_reason: of.to === undefined ? null : 'disconnect',
      })
      return { id, symbol, feed, line, journal }
    },

    async gap(
      name: string,
      of: Readonly<{
        from: string
        to?: string
        symbol?: string
        feed?: string
        line?: string
        journal: string
        stream?: string
        cause?: string
        state?: string
      }>,
    ): Promise<string> {
      const id = deriveId('gap', name)
      await insert('gaps', {
        gap_id: id,
        journal_id: of.journal,
        line: of.line ?? 'a',
        symbol: of.symbol ?? 'btcusd',
        feed: of.feed ?? 'v1',
        stream: of.stream ?? 'book',
        started_at: at(of.from),
        ended_at: of.to === undefined ? null : at(of.to),
        cause: of.cause ?? 'disconnect',
        state: of.state ?? (of.to === undefined ? 'open' : 'closed'),
      })
      return id
    },

    async snapshot(
      epoch: TestEpoch,
      time: string,
      seq: number,
      book: Readonly<{ bids: readonly Level[]; asks: readonly Level[] }>,
      more: Readonly<{ reason?: string; updateId?: number | string; eventTimeNs?: string }> = {},
    ): Promise<void> {
      await insert('book_snapshots', {
        received_time: at(time),
        received_time_ns: ns(time),
        event_time_ns: more.eventTimeNs ?? null,
        update_id: more.updateId ?? seq,
        message_seq: seq,
        epoch_id: epoch.id,
        symbol: epoch.symbol,
        feed: epoch.feed,
        line: epoch.line,
        reason: more.reason ?? 'initial',
        bid_prices: book.bids.map(([price]) => price),
        bid_quantities: book.bids.map(([, quantity]) => quantity),
        ask_prices: book.asks.map(([price]) => price),
        ask_quantities: book.asks.map(([, quantity]) => quantity),
        digest: Buffer.alloc(32, 0xab),
      })
    },

    async message(
      epoch: TestEpoch,
      time: string,
      seq: number,
      changes: readonly TestChange[],
      more: Readonly<{ updateId?: number | string; eventTimeNs?: string }> = {},
    ): Promise<void> {
      const updateId = BigInt(more.updateId ?? seq)
      await insert('book_messages', {
        received_time: at(time),
        received_time_ns: ns(time),
        event_time_ns: more.eventTimeNs ?? null,
        first_update_id: updateId - 1n,
        update_id: updateId,
        message_seq: seq,
        epoch_id: epoch.id,
        symbol: epoch.symbol,
        feed: epoch.feed,
        line: epoch.line,
        marks: changes.map(([mark]) => mark).join(''),
        prices: changes.map(([, price]) => price),
        quantities: changes.map(([, , quantity]) => quantity),
      })
    },

    async trade(id: number, time: string, price: string, quantity: string, more: Readonly<{ broken?: boolean }> = {}) {
      await insert('trades', {
        symbol: 'btcusd',
        trade_id: id,
        event_time: at(time),
        event_time_ns: ns(time),
        received_time: at(time),
        received_time_ns: ns(time),
        price,
        quantity,
        taker_side: 'buy',
        source: 'v1',
        line: 'a',
        broken: more.broken ?? false,
      })
    },

    async close(): Promise<void> {
      await settler.end()
      await client.end()
      await database.close()
    },
  }
}

const DAY = '2026-03-01'
const DAY_SECONDS = 1_772_323_200n // since 1970 UTC

/** The instant as text, cut to the microseconds that Postgres keeps. */
export function at(time: string): string {
  const [whole, fraction = ''] = time.split('.')
  return `${DAY}T${whole}.${fraction.slice(0, 6).padEnd(6, '0')}Z`
}

/** The same in nanoseconds, up to nine digits after the point counting. */
export function ns(time: string): bigint {
  const [hours = '', minutes = '', rest = ''] = time.split(':')
  const [seconds = '', fraction = ''] = rest.split('.')
  const whole = DAY_SECONDS + BigInt(hours) * 3600n + BigInt(minutes) * 60n + BigInt(seconds)
  return whole * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
}

import type { PoolClient } from 'pg'
import { addChecksums } from './checksum.ts'
import type { Place } from './copy-text.ts'

/** Rows that a statement added or, with negative numbers, took away, as `counting` gives them. */
export type CountedRows = Readonly<{
  relation: string
  symbol: string
  feed: string
  line: string
  hour: string // `2026-07-29T08`
  row_count: bigint
  checksum: bigint
}>

type Tally = Omit<CountedRows, 'row_count' | 'checksum'> & { rows: number; checksum: number }

/**
 * What a batch adds to booktape.tallies: for each relation, symbol, feed, line and hour the number of rows and the sum of their checksums.
 * By them "booktape verify" knows what must be there.
 */
export class Tallies {
  readonly #tallies = new Map<string, Tally>()

  /** What a statement gave; returns how many rows it added. */
  take(counted: readonly CountedRows[]): number {
    let rows = 0
    for (const { row_count, checksum, ...key } of counted) {
      const added = Number(row_count) // of one statement
      this.#add(key, added, Number(checksum))
      rows += added
    }
    return rows
  }

  /** Rows that were copied. */
  add(relation: string, line: string, { symbol, feed, hour }: Place, rows: number, checksum: number): void {
    this.#add({ relation, symbol, feed, line, hour }, rows, checksum)
  }

  /** Adds all to what stands, in the transaction of the rows. In the order of the key, so that two writers do not wait for each other crosswise. */
  async write(client: PoolClient): Promise<void> {
    const all = [...this.#tallies.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, tally]) => tally)
    if (all.length === 0) return
    const column = (read: (tally: Tally) => string | number): (string | number)[] => all.map(read)
    await client.query(ADD, [
      column(({ relation }) => relation),
      column(({ symbol }) => symbol),
      column(({ feed }) => feed),
      column(({ line }) => line),
      column(({ hour }) => `${hour}:00:00Z`),
      column(({ rows }) => rows),
      column(({ checksum }) => checksum),
    ])
  }

  #add(key: Omit<Tally, 'rows' | 'checksum'>, rows: number, checksum: number): void {
    const text = `${key.relation}\n${key.symbol}\n${key.feed}\n${key.line}\n${key.hour}`
    const tally = this.#tallies.get(text)
    if (tally === undefined) this.#tallies.set(text, { ...key, rows, checksum })
    else {
      tally.rows += rows
      tally.checksum = addChecksums(tally.checksum, checksum)
    }
  }
}

const ADD = `insert into booktape.tallies as t (relation, symbol, feed, line, hour, row_count, checksum)
  select relation, symbol, feed, line, hour, row_count, checksum
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::bigint[])
    with ordinality as given(relation, symbol, feed, line, hour, row_count, checksum, place)
  order by place
  on conflict (relation, symbol, feed, line, hour) do update
  set row_count = t.row_count + excluded.row_count, checksum = booktape.wrapped(t.checksum::numeric + excluded.checksum)`

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, inflateRawSync } from 'node:zlib'
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api'
import { plainDigits, type Told } from './rebuilt-book.ts'

/** Reads exported files with DuckDB, and NumPy archives by their published layout. Not one line of ours has written them. */
export class ExportReaders {
  readonly #duckdb: DuckDBConnection
  readonly #directory: string

  private constructor(duckdb: DuckDBConnection, directory: string) {
    this.#duckdb = duckdb
    this.#directory = directory
  }

  static async open(directory: string): Promise<ExportReaders> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' }) // one thread keeps the rows of a file in order
    return new ExportReaders(await instance.connect(), directory)
  }

  close(): void {
    this.#duckdb.closeSync()
  }

  /** Cells as texts, in the file's order. */
  async *csv(name: string): AsyncGenerator<Readonly<Record<string, string>>> {
    const path = join(this.#directory, name)
    const result = await this.#duckdb.stream(
      `select * from read_csv('${path}', header = true, all_varchar = true, delim = ',')`,
    )
    const columns = result.columnNames()
    for await (const rows of result.yieldRows()) {
      for (const row of rows) yield Object.fromEntries(columns.map((column, i) => [column, textOf(row[i])]))
    }
  }

  async *parquet(name: string): AsyncGenerator<Readonly<Record<string, DuckDBValue>>> {
    const result = await this.#duckdb.stream(`select * from read_parquet('${join(this.#directory, name)}')`)
    const columns = result.columnNames()
    for await (const rows of result.yieldRows()) {
      for (const row of rows) yield Object.fromEntries(columns.map((column, i) => [column, row[i] ?? null]))
    }
  }

  async parquetColumns(name: string): Promise<readonly string[]> {
    const path = join(this.#directory, name)
    const reader = await this.#duckdb.runAndReadAll(
      `select name, type, type_length, converted_type, repetition_type from parquet_schema('${path}') where type is not null`,
    )
    return reader.getRows().map((row) => row.map(textOf).join(' ').trim().replaceAll(/ +/g, ' '))
  }

  async parquetMetadata(name: string): Promise<Readonly<Record<string, string>>> {
    const path = join(this.#directory, name)
    const reader = await this.#duckdb.runAndReadAll(
      `select key::varchar, value::varchar from parquet_kv_metadata('${path}')`,
    )
    return Object.fromEntries(reader.getRows().map(([key, value]) => [textOf(key), textOf(value)]))
  }

  /** By the rule of tardis.dev: where `is_snapshot` turns true, what was known is discarded. */
  async *tardisBook(names: readonly string[]): AsyncGenerator<Told> {
    let wasSnapshot = false
    for (const name of names) {
      wasSnapshot = false
      for await (const row of this.csv(name)) {
        const atNs = BigInt(row['local_timestamp'] ?? '') * 1000n
        const isSnapshot = row['is_snapshot'] === 'true'
        if (isSnapshot && !wasSnapshot) yield { atNs, kind: 'clear' }
        wasSnapshot = isSnapshot
        yield { atNs, kind: 'level', side: sideOf(row), price: row['price'] ?? '', quantity: row['amount'] ?? '' }
      }
    }
  }

  /** booktape's own rows: a snapshot begins with `change_index` 0. */
  async *plainBook(name: string): AsyncGenerator<Told> {
    for await (const row of this.csv(name)) {
      const atNs = BigInt(row['received_time_ns'] ?? '')
      if (row['is_snapshot'] === 'true' && row['change_index'] === '0') yield { atNs, kind: 'clear' }
      yield { atNs, kind: 'level', side: sideOf(row), price: row['price'] ?? '', quantity: row['quantity'] ?? '' }
    }
  }

  async *ndjsonBook(name: string): AsyncGenerator<Told> {
    const path = join(this.#directory, name)
    const result = await this.#duckdb.stream(
      `select json from read_csv('${path}', columns = {json: 'VARCHAR'}, delim = '\\x01', quote = '', escape = '', header = false, max_line_size = 67108864)`,
    )
    for await (const rows of result.yieldRows()) {
      for (const [line] of rows) yield* ofEvent(JSON.parse(textOf(line ?? null)) as EventJson)
    }
  }

  /** Each row has the ten best levels of both sides; they hold together where the flag LAST (128) is. */
  async *databentoBook(name: string): AsyncGenerator<Told> {
    for await (const row of this.csv(name)) {
      const atNs = BigInt(row['ts_recv'] ?? '')
      if ((Number(row['flags']) & 128) === 0) continue
      yield { atNs, kind: 'clear' }
      for (let i = 0; i < 10; i++) {
        for (const side of ['bid', 'ask'] as const) {
          const price = row[`${side}_px_0${i}`] ?? ''
          if (price !== '') yield { atNs, kind: 'level', side, price, quantity: row[`${side}_sz_0${i}`] ?? '' }
        }
      }
    }
  }

  /** Actions 1 add, 2 update, 3 delete, 4 clear; sides 1 buy, 2 sell; values in units of 10^-16. */
  async *nautilusBook(names: readonly string[]): AsyncGenerator<Told> {
    for (const name of names) {
      for await (const row of this.parquet(name)) {
        const atNs = BigInt(textOf(row['ts_init'] ?? null))
        if (row['action'] === 4) yield { atNs, kind: 'clear' }
        else {
          const side = row['side'] === 1 ? 'bid' : 'ask'
          const quantity = row['action'] === 3 ? '0' : fixedText(row['size'])
          yield { atNs, kind: 'level', side, price: fixedText(row['price']), quantity }
        }
      }
    }
  }

  npz(name: string): readonly NpzRow[] {
    return readNpz(readFileSync(join(this.#directory, name)))
  }

  /** The local side's book: rows flagged LOCAL. */
  *hftbacktestBook(name: string): Generator<Told> {
    for (const { ev, localNs, px, qty } of this.npz(name)) {
      if ((ev & LOCAL_EVENT) === 0n) continue
      const kind = ev & 0xffn
      const side = (ev & BUY_EVENT) !== 0n ? 'bid' : 'ask'
      if (kind === 3n) yield { atNs: localNs, kind: 'clear' }
      else if (kind === 1n || kind === 4n)
        yield { atNs: localNs, kind: 'level', side, price: plainDigits(px), quantity: plainDigits(qty) }
    }
  }
}

export const EXCH_EVENT = 1n << 31n
export const LOCAL_EVENT = 1n << 30n
const BUY_EVENT = 1n << 29n

export type NpzRow = Readonly<{ ev: bigint; exchNs: bigint; localNs: bigint; px: number; qty: number }>

/** As `np.load(file)['data']` reads it: the directory of the zip, its one deflated entry, NumPy's header, then rows of 64 bytes. */
function readNpz(file: Buffer): readonly NpzRow[] {
  const end = file.lastIndexOf(Buffer.from('PK\u0005\u0006', 'latin1'))
  const zip64 = Number(file.readBigUInt64LE(end - 20 + 8))
  const directory = Number(file.readBigUInt64LE(zip64 + 48))
  const nameLength = file.readUInt16LE(directory + 28)
  const name = file.toString('latin1', directory + 46, directory + 46 + nameLength)
  if (name !== 'data.npy') throw new Error(`the archive holds ${name}`)
  const extra = directory + 46 + nameLength
  const size = Number(file.readBigUInt64LE(extra + 4))
  const packed = Number(file.readBigUInt64LE(extra + 12))
  const begin = 30 + file.readUInt16LE(26) + file.readUInt16LE(28)
  const npy = inflateRawSync(file.subarray(begin, begin + packed))
  if (begin + packed !== directory) throw new Error('the directory does not follow the entry')
  if (npy.length !== size) throw new Error(`${npy.length} bytes, ${size} said`)
  if (crc32(npy) !== file.readUInt32LE(directory + 16)) throw new Error('the checksum is wrong')
  if (npy.toString('latin1', 0, 8) !== '\u0093NUMPY\u0001\u0000') throw new Error('no NumPy 1.0 array')
  const start = 10 + npy.readUInt16LE(8)
  const shape = DTYPE.exec(npy.toString('latin1', 10, start))?.[1]
  if (start % 64 !== 0 || shape === undefined) throw new Error(`header ${npy.toString('latin1', 10, start)}`)
  const count = Number(shape)
  if (start + count * 64 !== npy.length) throw new Error(`${count} rows do not fill ${npy.length} bytes`)
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * 64
    return {
      ev: npy.readBigUInt64LE(at),
      exchNs: npy.readBigInt64LE(at + 8),
      localNs: npy.readBigInt64LE(at + 16),
      px: npy.readDoubleLE(at + 24),
      qty: npy.readDoubleLE(at + 32),
    }
  })
}

const DTYPE =
  /^\{'descr': \[\('ev', '<u8'\), \('exch_ts', '<i8'\), \('local_ts', '<i8'\), \('px', '<f8'\), \('qty', '<f8'\), \('order_id', '<u8'\), \('ival', '<i8'\), \('fval', '<f8'\)\], 'fortran_order': False, 'shape': \((\d+),\), \} *\n$/

type EventJson = Readonly<{
  kind: string
  received_time_ns: string
  bids?: readonly (readonly [string, string])[]
  asks?: readonly (readonly [string, string])[]
  changes?: readonly (readonly ['bid' | 'ask', string, string])[]
}>

function* ofEvent(event: EventJson): Generator<Told> {
  if (event.kind !== 'book' && event.kind !== 'book_message') return
  const atNs = BigInt(event.received_time_ns)
  if (event.kind === 'book') yield { atNs, kind: 'clear' }
  for (const [price, quantity] of event.bids ?? []) yield { atNs, kind: 'level', side: 'bid', price, quantity }
  for (const [price, quantity] of event.asks ?? []) yield { atNs, kind: 'level', side: 'ask', price, quantity }
  for (const [side, price, quantity] of event.changes ?? []) yield { atNs, kind: 'level', side, price, quantity }
}

function sideOf(row: Readonly<Record<string, string>>): 'bid' | 'ask' {
  const side = row['side']
  if (side !== 'bid' && side !== 'ask') throw new Error(`side ${side ?? 'missing'}`)
  return side
}

/** 16 bytes, little-endian, in units of 10^-16. */
export function fixedText(value: DuckDBValue | undefined): string {
  if (typeof value !== 'object' || value === null || !('bytes' in value)) throw new Error('no bytes')
  const hex = Buffer.from(value.bytes).reverse().toString('hex')
  return plainDigits(BigInt(`0x${hex}`), 16)
}

export function textOf(value: DuckDBValue | undefined): string {
  return value === null || value === undefined ? '' : String(value)
}

import { invariant } from '@booktape/market'
import type { PoolClient } from 'pg'
import { to as copyTo } from 'pg-copy-streams'

// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY: arrays of integers come at a fraction of what their text costs
// on both sides. `sql` has no parameters, because COPY takes none.

/** All rows of a query, in memory. `sql`: what stands within the parentheses of COPY. */
export async function copyBinary(client: PoolClient, sql: string): Promise<BinaryRows> {
  const parts: Buffer[] = []
  for await (const part of client.query(copyTo(`copy (${sql}) to stdout (format binary)`)) as AsyncIterable<Buffer>) {
    parts.push(part)
  }
  return new BinaryRows(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts))
}

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
const FLAGS_BYTES = 4
const TRAILER = -1
const NULL_LENGTH = -1

/** The rows of a binary COPY, to be read field by field in the order of the columns. */
export class BinaryRows {
  readonly #bytes: Buffer
  readonly #view: DataView
  #at: number

  constructor(bytes: Buffer) {
    invariant(bytes.subarray(0, SIGNATURE.length).equals(SIGNATURE), 'a binary COPY begins with its signature')
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const extension = SIGNATURE.length + FLAGS_BYTES
    this.#at = extension + 4 + this.#view.getInt32(extension)
  }

  /** Moves on to the next row; false at the end. */
  next(): boolean {
    const fields = this.#view.getInt16(this.#at)
    this.#at += 2
    return fields !== TRAILER
  }

  bigint(): bigint {
    const at = this.#field()
    invariant(at !== null, 'the column is not null')
    return this.#view.getBigInt64(at)
  }

  /** An `integer` column. */
  integer(): number | null {
    const at = this.#field()
    return at === null ? null : this.#view.getInt32(at)
  }

  text(): string | null {
    const at = this.#field()
    return at === null ? null : this.#bytes.toString('utf8', at, this.#at)
  }

  /** An array of one dimension, of integers of one width. */
  array(): BinaryArray | null {
    const at = this.#field()
    return at === null ? null : new BinaryArray(this.#view, at)
  }

  /** Where the next field begins; null for no value. */
  #field(): number | null {
    const length = this.#view.getInt32(this.#at)
    this.#at += 4
    if (length === NULL_LENGTH) return null
    const at = this.#at
    this.#at += length
    return at
  }
}

const DIMENSION_BYTES = 20 // dimensions, whether there are nulls, the type of elements; length and lower bound
const EMPTY_BYTES = 12

/** Read once, from its beginning to its end: where elements may be null, they are not of one width. */
export class BinaryArray {
  readonly length: number
  readonly #view: DataView
  #at: number

  constructor(view: DataView, at: number) {
    const dimensions = view.getInt32(at)
    invariant(dimensions <= 1, 'stored arrays have one dimension')
    this.#view = view
    this.length = dimensions === 0 ? 0 : view.getInt32(at + EMPTY_BYTES)
    this.#at = at + (dimensions === 0 ? EMPTY_BYTES : DIMENSION_BYTES)
  }

  /** The next element of a `bigint[]`; null for no value. */
  nextOrNull(): bigint | null {
    if (this.#view.getInt32(this.#at) !== NULL_LENGTH) return this.next()
    this.#at += 4
    return null
  }

  /** The next element of a `bigint[]` without nulls. */
  next(): bigint {
    const value = this.#view.getBigInt64(this.#at + 4)
    this.#at += 12
    return value
  }

  /** The same as a number where it is exact and not negative, else -1, and the element is still the next. */
  nextSafe(): number {
    const high = this.#view.getInt32(this.#at + 4)
    if (high < 0 || high >= SAFE_HIGH) return -1
    const value = high * 2 ** 32 + this.#view.getUint32(this.#at + 8)
    this.#at += 12
    return value
  }

  /** The next element of an `integer[]` without nulls. */
  nextInteger(): number {
    const value = this.#view.getInt32(this.#at + 4)
    this.#at += 8
    return value
  }
}

/** Numbers are exact below 2^53. */
const SAFE_HIGH = 2 ** 21

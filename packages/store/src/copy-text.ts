import { invariant } from '@booktape/market'
import { addChecksums, checksumOf } from './checksum.ts'
import { MAX_STATEMENT_LENGTH, MAX_STATEMENT_ROWS, type StatementBlock } from './statement-blocks.ts'

/** Where a row is counted (tallies.ts). `hour`: `2026-07-29T08`. */
export type Place = Readonly<{ symbol: string; feed: string; hour: string }>
export type Count = { rows: number; checksum: number }

const FIRST_BYTES = 8 * 1024
const COMMA = 44
const QUOTE = 34
const BACKSLASH = 92
const LINE_FEED = 10
const LAST_ASCII = 127

/**
 * Rows of one table as COPY takes them, written as they come: the bulk of what is stored waits for its commit as plain bytes, of
 * which the garbage collector knows nothing, and goes to Postgres as it stands.
 *
 * A row is a line, its fields are spelled as array elements are (array-text.ts): the same quotes, the same escape, the same bare
 * word for no value. So a row can be read back as the columns of a statement where COPY does not serve. The last field of each
 * row is the checksum of what stands before it.
 */
export class CopyText {
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES)
  #length = 0
  readonly #ends: number[] = [] // of each row, as are these two
  readonly #checksums: number[] = []
  readonly #places: Place[] = []
  #isRowBegun = false

  get rows(): number {
    return this.#ends.length
  }

  get length(): number {
    return this.#length
  }

  /** One more field of the row under way, spelled as an array element. ASCII, as all fields of the copied tables are. */
  field(element: string): void {
    this.#separate()
    this.#ascii(element)
  }

  /** A field in quotes, made of one character a change. */
  letters<T>(of: readonly T[], letter: (element: T) => string): void {
    this.#separate()
    this.#ascii('"')
    for (const element of of) this.#ascii(letter(element))
    this.#ascii('"')
  }

  /** An array as one field: `"{1,2.5}"`, which is digits, points and commas and needs no escape within. */
  array<T>(of: readonly T[], text: (element: T) => string): void {
    this.#separate()
    this.#ascii('"{')
    let isFirst = true
    for (const element of of) {
      if (!isFirst) this.#byte(COMMA)
      isFirst = false
      this.#ascii(text(element))
    }
    this.#ascii('}"')
  }

  /** `place`: where the row is counted; rows of one place share one object. */
  endRow(place: Place): void {
    invariant(this.#isRowBegun, 'a row has fields')
    const checksum = checksumOf(this.#bytes.subarray(this.#ends.at(-1) ?? 0, this.#length))
    this.field(String(checksum))
    this.#byte(LINE_FEED)
    this.#isRowBegun = false
    this.#ends.push(this.#length)
    this.#checksums.push(checksum)
    this.#places.push(place)
  }

  /** The sum of all rows' checksums. */
  get checksum(): number {
    return this.#checksums.reduce(addChecksums, 0)
  }

  /** Empty, with the room it has. */
  clear(): void {
    this.#length = 0
    this.#isRowBegun = false
    this.#ends.length = 0
    this.#checksums.length = 0
    this.#places.length = 0
  }

  /** Cut at the limits of a statement. */
  *blocks(): Generator<CopyBlock> {
    const ends = this.#ends
    for (let from = 0; from < ends.length; ) {
      const start = from === 0 ? 0 : (ends[from - 1] ?? 0)
      let to = from + 1
      while (to < ends.length && to - from < MAX_STATEMENT_ROWS && (ends[to] ?? 0) - start <= MAX_STATEMENT_LENGTH) to++
      yield new CopyBlock(
        this.#bytes.subarray(start, ends[to - 1]),
        to - from,
        counted(this.#places.slice(from, to), this.#checksums.slice(from, to)),
      )
      from = to
    }
  }

  #separate(): void {
    if (this.#isRowBegun) this.#byte(COMMA)
    this.#isRowBegun = true
  }

  #byte(code: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1)
    this.#bytes[this.#length++] = code
  }

  #ascii(text: string): void {
    const { length } = text
    if (this.#length + length > this.#bytes.length) this.#grow(length)
    const bytes = this.#bytes
    let at = this.#length
    let seen = 0
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      seen |= code
      bytes[at++] = code
    }
    invariant(seen <= LAST_ASCII, 'a copied field is ASCII')
    this.#length = at
  }

  #grow(by: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + by))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Some rows of a `CopyText`; the columns are read back when a statement needs them. */
export class CopyBlock implements StatementBlock {
  readonly text: Uint8Array
  readonly rows: number
  readonly counts: ReadonlyMap<Place, Count>
  #columns: readonly (readonly string[])[] | null = null

  constructor(text: Uint8Array, rows: number, counts: ReadonlyMap<Place, Count>) {
    this.text = text
    this.rows = rows
    this.counts = counts
  }

  get columns(): readonly (readonly string[])[] {
    this.#columns ??= columnsOf(this.text)
    return this.#columns
  }
}

function counted(places: readonly Place[], checksums: readonly number[]): ReadonlyMap<Place, Count> {
  const counts = new Map<Place, Count>()
  for (const [i, place] of places.entries()) {
    const count = counts.get(place)
    const checksum = checksums[i] as number
    if (count === undefined) counts.set(place, { rows: 1, checksum })
    else {
      count.rows++
      count.checksum = addChecksums(count.checksum, checksum)
    }
  }
  return counts
}

function columnsOf(text: Uint8Array): string[][] {
  const columns: string[][] = []
  let column = 0
  let start = 0
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const code = text[at]
    if (code === BACKSLASH) at++
    else if (code === QUOTE) isQuoted = !isQuoted
    else if (!isQuoted && (code === COMMA || code === LINE_FEED)) {
      const field = Buffer.from(text.buffer, text.byteOffset + start, at - start).toString('latin1')
      const elements = columns[column]
      if (elements === undefined) columns.push([field])
      else elements.push(field)
      column = code === COMMA ? column + 1 : 0
      start = at + 1
    }
  }
  return columns
}

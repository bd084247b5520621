import { invariant } from '@booktape/market'
import { MAX_STATEMENT_LENGTH, MAX_STATEMENT_ROWS, type StatementBlock } from './statement-blocks.ts'

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
 * word for no value. So a row can be read back as the columns of a statement where COPY does not serve.
 */
export class CopyText {
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES)
  #length = 0
  readonly #ends: number[] = [] // of each row
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

  endRow(): void {
    invariant(this.#isRowBegun, 'a row has fields')
    this.#byte(LINE_FEED)
    this.#isRowBegun = false
    this.#ends.push(this.#length)
  }

  /** Cut at the limits of a statement. */
  *blocks(): Generator<CopyBlock> {
    const ends = this.#ends
    for (let from = 0; from < ends.length; ) {
      const start = from === 0 ? 0 : (ends[from - 1] ?? 0)
      let to = from + 1
      while (to < ends.length && to - from < MAX_STATEMENT_ROWS && (ends[to] ?? 0) - start <= MAX_STATEMENT_LENGTH) to++
      yield new CopyBlock(this.#bytes.subarray(start, ends[to - 1]), to - from)
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
  #columns: readonly (readonly string[])[] | null = null

  constructor(text: Uint8Array, rows: number) {
    this.text = text
    this.rows = rows
  }

  get columns(): readonly (readonly string[])[] {
    this.#columns ??= columnsOf(this.text)
    return this.#columns
  }
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

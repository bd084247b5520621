import { orStoreError } from './failure.ts'

/** A row of one message, or a chunk of several, with the seqs of its first and its last. */
export type Stored = Readonly<{ first_seq: bigint; end_seq: bigint }>

/** Rows or chunks, a page at a time; the next page is asked for while this one is used. */
export class Pages<Item extends Stored, Out> {
  readonly #read: (afterSeq: bigint) => Promise<readonly Item[]>
  readonly #size: number
  readonly #decode: (item: Item, into: Out[]) => void
  readonly #atOnce: number
  #page: readonly Item[] = []
  #at = 0
  #next: Promise<readonly Item[]> | null

  /** `read` gives at most `size`, after a seq; what they are decoded to is given some `atOnce` at a time. */
  constructor(parts: {
    read: (afterSeq: bigint) => Promise<readonly Item[]>
    size: number
    afterSeq: bigint
    decode: (item: Item, into: Out[]) => void
    atOnce: number
  }) {
    this.#read = parts.read
    this.#size = parts.size
    this.#decode = parts.decode
    this.#atOnce = parts.atOnce
    this.#next = this.#ask(parts.afterSeq)
  }

  /** The seq that comes next; null at the end. */
  async first(): Promise<bigint | null> {
    if (this.#at === this.#page.length && this.#next !== null) {
      this.#page = await this.#next
      this.#at = 0
      const last = this.#page.at(-1)
      this.#next = last === undefined || this.#page.length < this.#size ? null : this.#ask(last.end_seq)
    }
    return this.#page[this.#at]?.first_seq ?? null
  }

  /** Some of what is in memory and begins before a seq, decoded; null: before anything. */
  takeBefore(seq: bigint | null): Out[] {
    const decoded: Out[] = []
    for (; this.#at < this.#page.length && decoded.length < this.#atOnce; this.#at++) {
      const item = this.#page[this.#at] as Item
      if (seq !== null && item.first_seq >= seq) break
      this.#decode(item, decoded)
    }
    return decoded
  }

  #ask(afterSeq: bigint): Promise<readonly Item[]> {
    const asked = orStoreError(() => this.#read(afterSeq))
    asked.catch(() => undefined) // thrown where it is awaited, or of no interest any more
    return asked
  }
}

/** A chunk never reaches over a row: where they take turns, whole runs of one come before the next of the other. */
export async function* takingTurns<ChunkItem extends Stored, RowItem extends Stored, Out>(
  chunks: Pages<ChunkItem, Out>,
  rows: Pages<RowItem, Out>,
): AsyncGenerator<Readonly<{ of: 'chunks' | 'rows'; page: Out[] }>> {
  for (;;) {
    const [chunk, row] = await Promise.all([chunks.first(), rows.first()])
    if (chunk === null && row === null) return
    if (row === null || (chunk !== null && chunk < row)) yield { of: 'chunks', page: chunks.takeBefore(row) }
    else yield { of: 'rows', page: rows.takeBefore(chunk) }
  }
}

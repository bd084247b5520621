import { createHash } from 'node:crypto'
import type { Row } from './tables.ts'

/** Texts are hashed this many rows at a time: a call each would cost more than the hash. */
const ROWS_AT_ONCE = 4_096

/** SHA-256 over rows in their order: cells as text, a tab between them, `\N` for null, each row ended by a line feed. 64 hex digits. */
export class RowsDigest {
  readonly #hash = createHash('sha256')
  #text = ''
  #waiting = 0

  add(row: Row): void {
    let text = ''
    for (const cell of row) text += cell === null ? '\\N\t' : `${cell}\t`
    this.#text += `${text.slice(0, -1)}\n`
    if (++this.#waiting === ROWS_AT_ONCE) this.#flush()
  }

  finish(): string {
    this.#flush()
    return this.#hash.digest('hex')
  }

  #flush(): void {
    this.#hash.update(this.#text)
    this.#text = ''
    this.#waiting = 0
  }
}

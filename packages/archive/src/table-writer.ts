import { constants, zstdCompressSync } from 'node:zlib'
import { type DecimalText, type Feed, invariant } from '@booktape/market'
import type { SchemaElement } from 'hyparquet'
import { fileWriter, ParquetWriter } from 'hyparquet-writer'
import { DECIMAL_BYTES, DECIMAL_PRECISION, DECIMAL_SCALE, decimalBytes } from './decimal-bytes.ts'
import { RowsDigest } from './rows-digest.ts'
import { COLUMNS, type Column, type Row, type TableName } from './tables.ts'

/** Held in memory until they are written, some 100 MB; readers leave out groups by their least and greatest values. */
export const ROWS_A_GROUP = 262_144
/** Where more effort stops to pay (docs/archive.md has the figures). */
export const ZSTD_LEVEL = 12

export type TableFileOptions = Readonly<{
  file: string
  table: TableName
  software: string // `booktape 0.1.0`
  feed: Feed | null // null: of no feed alone
}>

/** One Parquet file on local disk, written row by row, a row group at a time. */
export class TableFile {
  readonly #columns: readonly Column[]
  readonly #parts: readonly Part[]
  readonly #writer: ParquetWriter
  #values: unknown[][]
  #bytesOf = new Map<DecimalText, Uint8Array | null>()
  #rows = 0
  readonly #content = new RowsDigest()

  constructor({ file, table, software, feed }: TableFileOptions) {
    this.#columns = COLUMNS[table]
    this.#parts = this.#columns.flatMap((column) => partsOf(column, feed))
    this.#values = this.#parts.map(() => [])
    this.#writer = new ParquetWriter({
      writer: fileWriter(file),
      schema: schemaOf(this.#parts.map(({ written }) => written)),
      codec: 'ZSTD',
      compressors: { ZSTD: compress },
      createdBy: software,
    })
  }

  get rows(): number {
    return this.#rows
  }

  add(row: Row): void {
    let part = 0
    for (const [i, { name, type, nullable }] of this.#columns.entries()) {
      const cell = row[i]
      invariant(cell !== undefined && (cell !== null || nullable === true), `column ${name} has a value`)
      if (type !== 'decimal') {
        this.#values[part++]?.push(cell)
        continue
      }
      const bytes = cell === null ? null : this.#bytes(cell as DecimalText)
      this.#values[part++]?.push(bytes)
      this.#values[part++]?.push(bytes === null ? cell : null)
    }
    this.#rows++
    this.#content.add(row)
    if (this.#values[0]?.length === ROWS_A_GROUP) this.#flush()
  }

  /** The file is whole after this, and not yet synced. Gives the digest of its rows. */
  finish(): string {
    this.#flush()
    // Values were handed over as the bytes they are: the library would make each from a bigint, several times slower.
    this.#writer.schema = schemaOf(this.#parts.map(({ shown }) => shown))
    void this.#writer.finish() // to a local file, without waiting
    return this.#content.finish()
  }

  #bytes(text: DecimalText): Uint8Array | null {
    let bytes = this.#bytesOf.get(text)
    if (bytes === undefined) {
      bytes = decimalBytes(text)
      this.#bytesOf.set(text, bytes)
    }
    return bytes
  }

  #flush(): void {
    if ((this.#values[0]?.length ?? 0) === 0) return
    void this.#writer.write({
      columnData: this.#parts.map(({ written, encoding, isCounted }, i) => ({
        name: written.name,
        data: this.#values[i] ?? [],
        encoding,
        statistics: isCounted,
      })),
      rowGroupSize: ROWS_A_GROUP,
    })
    this.#values = this.#parts.map(() => [])
    this.#bytesOf = new Map()
  }
}

type Encoding = 'DELTA_BINARY_PACKED' | 'PLAIN' | 'RLE_DICTIONARY'

/** A column as Parquet has it: `written` while values are handed over, `shown` in the file. */
type Part = Readonly<{ written: SchemaElement; shown: SchemaElement; encoding: Encoding; isCounted: boolean }>

function partsOf(column: Column, feed: Feed | null): readonly Part[] {
  const { name, type, nullable } = column
  const repetition_type = nullable === true || type === 'decimal' ? 'OPTIONAL' : 'REQUIRED'
  const encoding = encodingOf(column, feed)
  const plainly = (element: SchemaElement, isCounted: boolean): Part => ({
    written: element,
    shown: element,
    encoding,
    isCounted,
  })
  switch (type) {
    case 'int64':
      return [plainly({ name, type: 'INT64', repetition_type }, true)]
    case 'int32':
      return [plainly({ name, type: 'INT32', repetition_type }, false)]
    case 'boolean':
      return [plainly({ name, type: 'BOOLEAN', repetition_type }, false)]
    case 'text':
      return [plainly({ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type }, true)]
    case 'decimal': {
      const bytes = { name, type: 'FIXED_LEN_BYTE_ARRAY', type_length: DECIMAL_BYTES, repetition_type } as const
      const shown = { ...bytes, converted_type: 'DECIMAL', precision: DECIMAL_PRECISION, scale: DECIMAL_SCALE } as const
      const text = { name: `${name}_text`, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type } as const
      return [
        { written: bytes, shown, encoding, isCounted: false },
        { ...plainly(text, false), encoding: 'RLE_DICTIONARY' },
      ]
    }
  }
}

function encodingOf({ type, encoding }: Column, feed: Feed | null): Encoding {
  if (type === 'boolean' || encoding === 'plain') return 'PLAIN'
  if (encoding === 'steps') return feed === 'ws' ? 'PLAIN' : 'DELTA_BINARY_PACKED'
  return encoding === 'delta' ? 'DELTA_BINARY_PACKED' : 'RLE_DICTIONARY'
}

function schemaOf(columns: readonly SchemaElement[]): SchemaElement[] {
  return [{ name: 'booktape', num_children: columns.length }, ...columns]
}

function compress(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } })
}

import { constants as zlib, zstdCompressSync } from 'node:zlib'
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { Sink } from './sink.ts'

/** Kinds of columns, none of them nullable. */
export type ParquetColumn = Readonly<{ name: string; type: 'u8' | 'u64' | 'fixed16' | 'utf8' }>
export type ParquetValue = number | bigint | string | Uint8Array

/** A row group is held in memory, some tens of megabytes, and a reader of one column reads so much of it at least. */
export const ROWS_A_GROUP = 50_000
/** nautilus_trader's own default. */
const ZSTD_LEVEL = 3

const ELEMENT = {
  u8: { type: 'INT32', converted_type: 'UINT_8' },
  u64: { type: 'INT64', converted_type: 'UINT_64' },
  fixed16: { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16 },
  utf8: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
} as const

/** Rows into a Parquet file, zstd, a row group at a time. */
export class ParquetRows {
  readonly #columns: readonly ParquetColumn[]
  readonly #sink: Sink
  readonly #bytes = new ByteWriter()
  readonly #writer: ParquetWriter
  #values: ParquetValue[][]
  #rows = 0

  constructor(sink: Sink, columns: readonly ParquetColumn[], createdBy: string) {
    this.#sink = sink
    this.#columns = columns
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      codec: 'ZSTD',
      compressors: {
        ZSTD: (bytes) => zstdCompressSync(bytes, { params: { [zlib.ZSTD_c_compressionLevel]: ZSTD_LEVEL } }),
      },
      createdBy,
      schema: [
        { name: 'schema', num_children: columns.length },
        ...columns.map(({ name, type }) => ({ name, repetition_type: 'REQUIRED' as const, ...ELEMENT[type] })),
      ],
    })
    this.#values = columns.map(() => [])
  }

  get rows(): number {
    return this.#rows
  }

  /** Values in the order of the columns. */
  add(values: readonly ParquetValue[]): void {
    values.forEach((value, i) => this.#values[i]?.push(value))
    this.#rows++
    if (this.#values[0]?.length === ROWS_A_GROUP) this.#writeGroup()
  }

  /** `metadata`: known at the end only, where Parquet has it. */
  end(metadata: Readonly<Record<string, string>>, name: string): void {
    this.#writeGroup()
    this.#writer.kvMetadata = Object.entries(metadata).map(([key, value]) => ({ key, value }))
    void this.#writer.finish()
    this.#flush(0)
    this.#sink.close(name)
  }

  #writeGroup(): void {
    const rows = this.#values[0]?.length ?? 0
    if (rows === 0) return
    const columnData = this.#columns.map(({ name }, i) => ({ name, data: this.#values[i] ?? [] }))
    void this.#writer.write({ columnData, rowGroupSize: ROWS_A_GROUP })
    this.#values = this.#columns.map(() => [])
    this.#flush(rows)
  }

  /** Hands on what was written, so that the writer's buffer holds one row group at most. */
  #flush(rows: number): void {
    this.#sink.write(this.#bytes.getBytes().slice(), rows)
    this.#bytes.index = 0
  }
}

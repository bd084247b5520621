import { zstdDecompressSync } from 'node:zlib'
import type { DecimalText } from '@booktape/market'
import { type AsyncBuffer, type DecodedArray, type FileMetaData, parquetMetadataAsync, parquetScan } from 'hyparquet'
import { decimalOfBytes } from './decimal-bytes.ts'
import { ArchiveError, damaged } from './errors.ts'
import { type Cell, COLUMNS, type Row, type TableName } from './tables.ts'

/** Rows in memory at once. */
const ROWS_A_PAGE = 32_768

/**
 * The rows of one table's file from one on, pages of them in their order. `name` is for messages. Throws `ArchiveError` `DAMAGED`
 * for a file that is not what `TableFile` makes.
 */
export async function* readTable(
  file: AsyncBuffer,
  table: TableName,
  name: string,
  fromRow = 0,
): AsyncGenerator<readonly Row[]> {
  const metadata = await orDamaged(name, () => parquetMetadataAsync(file))
  const undecorated = withoutDecimals(metadata)
  let groupStart = 0
  for (const { num_rows } of metadata.row_groups) {
    const groupEnd = groupStart + Number(num_rows) // at most ROWS_A_GROUP
    if (groupEnd > fromRow) {
      const from = Math.max(groupStart, fromRow)
      const columns = await orDamaged(name, () => readColumns(file, undecorated, table, from, groupEnd))
      for (let at = 0; at < groupEnd - from; at += ROWS_A_PAGE) {
        const until = Math.min(at + ROWS_A_PAGE, groupEnd - from)
        const rows: Row[] = []
        for (let i = at; i < until; i++) rows.push(columns.map((cellAt) => cellAt(i)))
        yield rows
      }
    }
    groupStart = groupEnd
  }
}

/** The values of a row group's columns by their place. */
async function readColumns(
  file: AsyncBuffer,
  metadata: FileMetaData,
  table: TableName,
  rowStart: number,
  rowEnd: number,
): Promise<readonly ((at: number) => Cell)[]> {
  const scan = await parquetScan({ file, metadata, compressors: { ZSTD: decompress } })
  const read = (column: string): Promise<DecodedArray> => scan.readColumn({ column, rowStart, rowEnd })
  return await Promise.all(
    COLUMNS[table].map(async ({ name, type }) => {
      const values = await read(name)
      if (type !== 'decimal') return (at: number) => (values[at] ?? null) as Cell
      const texts = await read(`${name}_text`)
      const known = new Map<Uint8Array, DecimalText>() // a dictionary's values are one object each
      return (at: number): Cell => {
        const bytes = values[at] as Uint8Array | null | undefined
        if (bytes === null || bytes === undefined) return (texts[at] ?? null) as string | null
        const text = known.get(bytes) ?? decimalOfBytes(bytes)
        if (text === null) throw new RangeError(`a negative number in ${name}`)
        known.set(bytes, text)
        return text
      }
    }),
  )
}

/** The library makes floats of decimals; as plain bytes they come as they are. */
function withoutDecimals(metadata: FileMetaData): FileMetaData {
  const schema = metadata.schema.map((element) => {
    if (element.converted_type !== 'DECIMAL') return element
    const { converted_type: _, logical_type: __, ...bytes } = element
    return bytes
  })
  return { ...metadata, schema }
}

function decompress(bytes: Uint8Array, size: number): Uint8Array {
  return size === 0 ? new Uint8Array() : zstdDecompressSync(bytes, { maxOutputLength: size })
}

async function orDamaged<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof ArchiveError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw damaged(name, `cannot be read: ${why}`, { cause: error })
  }
}

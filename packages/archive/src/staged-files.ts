import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { tablePath, type Unit } from './layout.ts'
import type { ArchivedFile } from './manifest.ts'
import { TableFile } from './table-writer.ts'
import { TABLES, type TableName } from './tables.ts'

/** The files of one unit while they are written, in a directory of the stage. */
export class StagedFiles {
  readonly #directory: string
  readonly #unit: Unit
  readonly #software: string
  readonly #files = new Map<TableName, TableFile>()

  constructor(directory: string, unit: Unit, software: string) {
    this.#directory = directory
    this.#unit = unit
    this.#software = software
  }

  begin(table: TableName): TableFile {
    const feed = this.#unit.kind === 'books' ? this.#unit.feed : null
    const file = new TableFile({ file: this.path(table), table, software: this.#software, feed })
    this.#files.set(table, file)
    return file
  }

  path(table: TableName): string {
    return join(this.#directory, `${table}.parquet`)
  }

  /** Finishes every file, in the order of `TABLES`. */
  async finish(): Promise<readonly ArchivedFile[]> {
    const archived: ArchivedFile[] = []
    for (const table of TABLES) {
      const file = this.#files.get(table)
      if (file === undefined) continue
      const content = file.finish()
      const path = this.path(table)
      const { size } = await stat(path)
      archived.push({
        table,
        path: tablePath(table, this.#unit),
        rows: file.rows,
        bytes: size,
        sha256: await sha256OfFile(path),
        content,
      })
    }
    return archived
  }
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest('hex')
}

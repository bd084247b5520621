import { spawnSync } from 'node:child_process'
import { cpSync, lstatSync, mkdtempSync, rmdirSync, rmSync, statfsSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type PostgresDisk = 'data' | 'wal'

/** Room for an hour of chaos; a WAL larger than max_wal_size. Both are of memory, taken when it is used. */
const MIB: Readonly<Record<PostgresDisk, number>> = { data: 3_072, wal: 2_560 }

/** A disk for Postgres's tables and one for its log, of a fixed size, each to be filled to the last byte and emptied again. */
export class PostgresDisks {
  readonly #paths: Readonly<Record<PostgresDisk, string>>

  private constructor(paths: Readonly<Record<PostgresDisk, string>>) {
    this.#paths = paths
  }

  static mount(): PostgresDisks {
    return new PostgresDisks({ data: mounted('data'), wal: mounted('wal') })
  }

  /** Where the cluster is to be made. */
  get directory(): string {
    return this.#paths.data
  }

  /** While Postgres does not run: its log moves to its own disk. */
  moveLog(): void {
    const log = join(this.#paths.data, 'cluster', 'pg_wal')
    if (lstatSync(log).isSymbolicLink()) return
    const moved = join(this.#paths.wal, 'pg_wal')
    cpSync(log, moved, { recursive: true })
    rmSync(log, { recursive: true })
    symlinkSync(moved, log)
  }

  fill(disk: PostgresDisk): void {
    const path = this.#paths[disk]
    const { bavail, bsize } = statfsSync(path)
    const { status, stderr } = spawnSync('fallocate', ['--length', String(bavail * bsize), this.#filler(disk)])
    if (status !== 0) throw new Error(`fallocate: ${String(stderr)}`)
  }

  empty(disk: PostgresDisk): void {
    rmSync(this.#filler(disk), { force: true })
  }

  unmount(): void {
    for (const path of Object.values(this.#paths)) {
      spawnSync('umount', [path])
      rmdirSync(path)
    }
  }

  #filler(disk: PostgresDisk): string {
    return join(this.#paths[disk], 'filler')
  }
}

function mounted(disk: PostgresDisk): string {
  const path = mkdtempSync(join(tmpdir(), `booktape-chaos-${disk}-`))
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${MIB[disk]}m,mode=700`, 'tmpfs', path])
  if (status !== 0) throw new Error(`mount: ${String(stderr)}`)
  return path
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type EmbeddedPostgres, startEmbedded } from '@booktape/embedded'
import { Client } from 'pg'
import type { PostgresDisks } from './postgres-disks.ts'
import type { Address } from './toxic-proxy.ts'

/** A real Postgres of its own, to be crashed, stopped and started again. Its password is the run's secret. */
export class CrashingPostgres {
  readonly disks: PostgresDisks | null
  readonly #directory: string
  #server: EmbeddedPostgres

  private constructor(directory: string, server: EmbeddedPostgres, disks: PostgresDisks | null) {
    this.#directory = directory
    this.#server = server
    this.disks = disks
  }

  static async start(disks: PostgresDisks | null = null): Promise<CrashingPostgres> {
    if (disks === null) {
      const directory = await mkdtemp(join(tmpdir(), 'booktape-chaos-postgres-'))
      return new CrashingPostgres(directory, await run(directory), null)
    }
    const first = await run(disks.directory)
    await first.stop()
    disks.moveLog()
    return new CrashingPostgres(disks.directory, await run(disks.directory), disks)
  }

  get url(): string {
    return this.#server.url
  }

  get address(): Address {
    const { hostname, port } = new URL(this.url)
    return { host: hostname, port: Number(port) }
  }

  /** Of the postmaster. */
  get pid(): number {
    return this.#server.pid()
  }

  get password(): string {
    return new URL(this.url).password
  }

  /** As `pg_ctl stop -m immediate`: every process of it ends at once, and the next start recovers from the log. */
  async crash(): Promise<void> {
    process.kill(this.#server.pid(), 'SIGQUIT')
    await this.#server.stop() // waits until it is gone
  }

  /** After `crash`. The port is the same unless somebody took it meanwhile. */
  async restart(): Promise<void> {
    this.#server = await run(this.#directory)
  }

  /** When it may have ended by itself: as an operator who looks after it. */
  async revive(): Promise<void> {
    const patience = AbortSignal.timeout(REVIVAL_PATIENCE_MS)
    while (!patience.aborted) {
      const isThere = await this.query('select 1').then(
        () => true,
        () => false,
      )
      if (isThere) return
      await delay(LOOK_AGAIN_MS)
    }
    await this.#server.stop()
    await this.restart()
  }

  /** A connection of its own for each question: none of them outlives a crash. */
  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return await this.connected(async (client) => (await client.query<Row>(text, [...values])).rows)
  }

  async connected<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ connectionString: this.url })
    client.on('error', () => undefined) // the question itself fails too
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  async remove(): Promise<void> {
    await this.#server.stop()
    if (this.disks === null) await rm(this.#directory, { recursive: true, force: true })
    else this.disks.unmount()
  }
}

/** Of a server that recovers by itself. */
const REVIVAL_PATIENCE_MS = 3_000
const LOOK_AGAIN_MS = 100

async function run(directory: string): Promise<EmbeddedPostgres> {
  return await startEmbedded({ directory, keepAlive: false })
}

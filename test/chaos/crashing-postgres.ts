import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedPostgres, startEmbedded } from '@booktape/embedded'
import { Client } from 'pg'
import type { Address } from './toxic-proxy.ts'

/** A real Postgres of its own, to be crashed, stopped and started again. Its password is the run's secret. */
export class CrashingPostgres {
  readonly #directory: string
  #server: EmbeddedPostgres

  private constructor(directory: string, server: EmbeddedPostgres) {
    this.#directory = directory
    this.#server = server
  }

  static async start(): Promise<CrashingPostgres> {
    const directory = await mkdtemp(join(tmpdir(), 'booktape-chaos-postgres-'))
    return new CrashingPostgres(directory, await run(directory))
  }

  get url(): string {
    return this.#server.url
  }

  get address(): Address {
    const { hostname, port } = new URL(this.url)
    return { host: hostname, port: Number(port) }
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
    await rm(this.#directory, { recursive: true, force: true })
  }
}

async function run(directory: string): Promise<EmbeddedPostgres> {
  return await startEmbedded({ directory, keepAlive: false })
}

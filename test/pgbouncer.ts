import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'

/** Whether there is a PgBouncer on this machine. CI installs one (.ci/run). */
export function hasPgBouncer(): boolean {
  return spawnSync(PROGRAM, ['--version']).status === 0
}

/** Fewer than the recorder's own connections, so that it is given another one's again and again. */
export const SERVER_CONNECTIONS = 2

/**
 * A PgBouncer of its own before a database, with one server connection for many clients: each transaction gets the next one
 * free. `url` is the database's with the bouncer's port.
 */
export class PgBouncer {
  readonly url: URL
  readonly #directory: string
  #child: ReturnType<typeof spawn> | null = null
  #log = ''

  private constructor(url: URL, directory: string) {
    this.url = url
    this.#directory = directory
  }

  static async start(t: TestContext, database: URL): Promise<PgBouncer> {
    const directory = mkdtempSync(join(tmpdir(), 'booktape-pgbouncer-'))
    const port = await freePort()
    const url = new URL(database)
    url.port = `${port}`
    url.hostname = HOST
    const users = join(directory, 'users.txt')
    writeFileSync(users, `"${database.username}" "${decodeURIComponent(database.password)}"\n`)
    writeFileSync(join(directory, 'pgbouncer.ini'), settings(database, port, users))
    chmodSync(directory, 0o755) // started by root, it goes on as nobody
    const bouncer = new PgBouncer(url, directory)
    t.after(async () => {
      await bouncer.kill()
      rmSync(directory, { recursive: true, force: true })
    })
    await bouncer.start()
    return bouncer
  }

  async start(): Promise<void> {
    const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
    const child = spawn(PROGRAM, ['-q', ...asNobody, join(this.#directory, 'pgbouncer.ini')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr.on('data', (bytes: Buffer) => (this.#log += bytes.toString()))
    this.#child = child
    while (!(await this.#answers())) {
      if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}: ${this.#log}`)
      await delay(LOOK_AGAIN_MS)
    }
  }

  /** As a crash: every client and every transaction is cut. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  /** Of its own console. */
  async show(what: string): Promise<Record<string, unknown>[]> {
    const console = new URL(this.url)
    console.pathname = '/pgbouncer'
    const client = new Client({ connectionString: console.href })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(`show ${what}`)).rows
    } finally {
      await client.end()
    }
  }

  async #answers(): Promise<boolean> {
    return await this.show('version').then(
      () => true,
      () => false,
    )
  }
}

const PROGRAM = process.env['PATH']?.includes('/usr/sbin') === true ? 'pgbouncer' : '/usr/sbin/pgbouncer'
const HOST = '127.0.0.1'
const LOOK_AGAIN_MS = 20

function settings(database: URL, port: number, users: string): string {
  return `[databases]
* = host=${database.hostname} port=${database.port}
[pgbouncer]
listen_addr = ${HOST}
listen_port = ${port}
unix_socket_dir =
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
max_client_conn = 50
auth_type = scram-sha-256
auth_file = ${users}
admin_users = ${database.username}
server_login_retry = 1
`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

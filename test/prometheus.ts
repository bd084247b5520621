import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Debian's `prometheus` brings both programs. */
export function hasPrometheus(): boolean {
  return ['prometheus', 'promtool'].every((program) => spawnSync(program, ['--version']).status === 0)
}

const LOOK_AGAIN_MS = 50

type Labels = Readonly<Record<string, string>>
/** Seconds since 1970, and what Prometheus writes for a float. */
type Sample = readonly [number, string]

/** One series of an answer: its values, newest last. */
export type Series = Readonly<{ metric: Labels; values: readonly Sample[] }>

type Rule = Readonly<{ name: string; health: string; lastError?: string }>

/** A real Prometheus that scrapes every second and evaluates rules as often. */
export class Prometheus {
  readonly #url: string
  readonly #directory: string
  readonly #child: ReturnType<typeof spawn>
  #log = ''

  private constructor(port: number, directory: string) {
    this.#url = `http://127.0.0.1:${port}`
    this.#directory = directory
    this.#child = spawn(
      'prometheus',
      [
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    this.#child.stderr?.on('data', (bytes: Buffer) => (this.#log += bytes.toString()))
  }

  /** `target`: `host:port`, of one or of several; `rules`: absolute path of a file. */
  static async start(target: string | readonly string[], rules: string): Promise<Prometheus> {
    const directory = mkdtempSync(join(tmpdir(), 'booktape-prometheus-'))
    const scrape = { job_name: 'booktape', static_configs: [{ targets: [target].flat() }] }
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [rules],
      scrape_configs: [scrape],
    }
    writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(config)) // JSON is YAML
    const prometheus = new Prometheus(await freePort(), directory)
    await prometheus.#untilReady()
    return prometheus
  }

  /** The series of an expression from `fromS` to `toS`, seconds since 1970, a value each second. Throws what Prometheus says against it. */
  async range(expr: string, fromS: number, toS: number): Promise<readonly Series[]> {
    const query = new URLSearchParams({ query: expr, start: String(fromS), end: String(toS), step: '1' })
    return await this.#ask<readonly Series[]>(`/api/v1/query_range?${query.toString()}`, 'result')
  }

  /** The same for this instant alone. */
  async now(expr: string): Promise<readonly Readonly<{ metric: Labels; value: Sample }>[]> {
    return await this.#ask(`/api/v1/query?${new URLSearchParams({ query: expr }).toString()}`, 'result')
  }

  /** Every rule: `ok`, `err` with what went wrong, or `unknown` before it was evaluated. */
  async rules(): Promise<readonly Rule[]> {
    const groups = await this.#ask<readonly Readonly<{ rules: readonly Rule[] }>[]>('/api/v1/rules', 'groups')
    return groups.flatMap(({ rules }) => rules.map(({ name, health, lastError = '' }) => ({ name, health, lastError })))
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit')
      this.#child.kill('SIGTERM')
      await ended
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #ask<T>(path: string, part: string): Promise<T> {
    const answer = await fetch(this.#url + path)
    const { status, error, data } = (await answer.json()) as {
      status: string
      error?: string
      data?: Record<string, T>
    }
    const found = data?.[part]
    if (status !== 'success' || found === undefined) throw new Error(`Prometheus: ${error}`)
    return found
  }

  async #untilReady(): Promise<void> {
    for (;;) {
      const ready = await fetch(`${this.#url}/-/ready`).catch(() => null)
      if (ready?.status === 200) return
      if (this.#child.exitCode !== null) throw new Error(`Prometheus ended with ${this.#child.exitCode}: ${this.#log}`)
      await delay(LOOK_AGAIN_MS)
    }
  }
}

/** Taken by nobody a moment ago: Prometheus does not tell which port it chose by itself. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

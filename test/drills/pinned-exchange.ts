import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { BookText } from '@booktape/exchange'

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))

/** The simulated exchange as a process of its own, so that what it takes of a machine is not the recorder's. */
export class PinnedExchange {
  readonly url: string
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, url: string) {
    this.#child = child
    this.url = url
  }

  static async start(options: { seed: number; rate: number; symbols?: readonly string[] }): Promise<PinnedExchange> {
    const { seed, rate, symbols = [] } = options
    const args = [
      'exchange',
      '--port',
      '0',
      '--seed',
      String(seed),
      '--rate',
      String(rate),
      '--symbols',
      symbols.join(','),
    ]
    return await PinnedExchange.spawn([MAIN, ...args])
  }

  /** Any program that says where it listens: `... at http://127.0.0.1:9465 (...`. */
  static async spawn(args: readonly string[]): Promise<PinnedExchange> {
    const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface(child.stdout)) {
      const [, url] = /at (http:\S+) \(/.exec(line) ?? []
      if (url !== undefined) return new PinnedExchange(child, url)
    }
    throw new Error('the exchange ended before it listened')
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get environment() {
    const socket = this.url.replace('http', 'ws')
    return { BOOKTAPE_GEMINI_V1_URL: socket, BOOKTAPE_GEMINI_WS_URL: socket, BOOKTAPE_GEMINI_REST_URL: this.url }
  }

  /** The true book after an update. */
  async bookAfter(symbol: string, updateId: string): Promise<BookText> {
    return (await this.#ask(`book/${symbol}?update_id=${updateId}`)) as BookText
  }

  async trades(symbol: string): Promise<readonly Readonly<{ tradeId: string; eventTimeNs: string }>[]> {
    return (await this.#ask(`trades/${symbol}`)) as { tradeId: string; eventTimeNs: string }[]
  }

  async #ask(path: string): Promise<unknown> {
    const answer = await fetch(`${this.url}/control/${path}`)
    if (!answer.ok) throw new Error(`the exchange answered ${answer.status} to ${path}: ${await answer.text()}`)
    return await answer.json()
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'close')
  }
}

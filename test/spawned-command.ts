import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Environment } from '@booktape/runtime'

const MAIN = fileURLToPath(new URL('../services/cli/src/main.ts', import.meta.url))
const POLL_MS = 20
/** Far above what any of these takes on a busy machine: whoever reaches it hangs, and the test must say so. */
export const PATIENCE_MS = 45_000

export type Ended = Readonly<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>

/** The command line as a user starts it: a process of its own, with exactly the environment given. */
export class SpawnedCommand {
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  #stderr = ''
  #isOver = false

  /** `main`: the program, where it is another one than the repository's. */
  constructor(t: TestContext, args: readonly string[], env: Environment, main = MAIN) {
    const child = spawn(process.execPath, [main, ...args], { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    createInterface(child.stdout).on('line', (line) => this.#lines.push(line))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        this.#isOver = true
        resolve({ code, signal, stdout: this.#lines.map((line) => `${line}\n`).join(''), stderr: this.#stderr })
      })
    })
    t.after(async () => {
      child.kill('SIGKILL')
      await this.ended
    })
  }

  /** The first line of the output that matches, now or later. */
  async line(pattern: RegExp): Promise<string> {
    let found: string | undefined
    await this.until(`a line that matches ${pattern}`, () => {
      found = this.#lines.find((line) => pattern.test(line))
      return found !== undefined
    })
    return found ?? ''
  }

  /** How many lines of the output match by now. */
  count(pattern: RegExp): number {
    return this.#lines.filter((line) => pattern.test(line)).length
  }

  /** Resolves when the condition, asked again and again, is true; rejects when the process ends before, or patience does. */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const patience = AbortSignal.timeout(PATIENCE_MS)
    while (!(await condition())) {
      if (this.#isOver) throw new Error(`the command ended before ${what}:\n${this.#story()}`)
      if (patience.aborted) throw new Error(`${what} did not come within ${PATIENCE_MS} ms:\n${this.#story()}`)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** What it has complained of by now. */
  get stderr(): string {
    return this.#stderr
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** As a service manager stops it; a process that does not end within the contract's time fails the test. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.kill(signal)
    return await this.end(`${signal} to end it`)
  }

  async end(why = 'it to end by itself'): Promise<Ended> {
    const patience = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      patience.reject(new Error(`waited ${STOP_LIMIT_MS} ms for ${why}:\n${this.#story()}`))
    }, STOP_LIMIT_MS)
    try {
      return await Promise.race([this.ended, patience.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  #story(): string {
    return `${this.#lines.slice(-30).join('\n')}\n${this.#stderr}`
  }
}

/** The contract's limit for a stop. */
const STOP_LIMIT_MS = 25_000

/** Runs a command to its end. */
export async function runCommand(
  t: TestContext,
  args: readonly string[],
  env: Environment,
  main = MAIN,
): Promise<Ended> {
  return await new SpawnedCommand(t, args, env, main).end()
}

/** Asks the recorder for a page. */
export type Get = (path: string) => Promise<{ status: number; body: string }>

/** A recorder that is up: what it listens on, and what it answers there. */
export async function startRecorder(
  t: TestContext,
  env: Environment,
  main = MAIN,
): Promise<{ command: SpawnedCommand; get: Get }> {
  const command = new SpawnedCommand(t, ['record'], { BOOKTAPE_HTTP_PORT: '0', ...env }, main)
  const { http } = JSON.parse(await command.line(/"msg":"recording"/)) as { http: string }
  const get: Get = async (path) => {
    const answer = await fetch(http + path)
    return { status: answer.status, body: await answer.text() }
  }
  return { command, get }
}

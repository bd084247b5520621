import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { invariant } from '@booktape/market'
import type { Environment } from '@booktape/runtime'
import { LogWatch } from './log-watch.ts'

/**
 * One recorder as it runs in production, `booktape record`, as a process of its own that is killed and started again
 * on the same directory. Remembers what no restart may forget: what it logged, how much memory it took, how it ended.
 */
export class SpawnedRecorder {
  readonly line: string
  readonly log: LogWatch
  readonly #env: Environment
  /** Ends that nobody asked for, each with the last words. */
  readonly unasked: string[] = []
  starts = 0
  peakMemoryBytes = 0
  #run: Run | null = null

  constructor(line: string, env: Environment, secret: string) {
    this.line = line
    this.log = new LogWatch(secret)
    this.#env = env
  }

  get isRunning(): boolean {
    return this.#run !== null
  }

  get pid(): number {
    return this.#running().child.pid ?? 0
  }

  /** `traced`: arguments of strace, whose tracer runs beside the recorder, so that the process started is the recorder. */
  start(traced: readonly string[] = []): void {
    invariant(this.#run === null, `line ${this.line} is started only after its end`)
    const command = [process.execPath, MAIN, 'record']
    const [program, ...args] = traced.length === 0 ? command : ['strace', '-D', '-f', ...traced, ...command]
    const child = spawn(program ?? '', args, { env: { ...this.#env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const run: Run = { child, http: null, isEndAsked: false, ended: Promise.resolve(UNKNOWN_END) }
    createInterface(child.stdout).on('line', (line) => {
      const http = this.log.take(line)
      if (http !== null) run.http = http
    })
    createInterface(child.stderr).on('line', (line) => void this.log.take(line))
    run.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        if (!run.isEndAsked) this.unasked.push(`${describe({ code, signal })}\n${this.log.story()}`)
        if (this.#run === run) this.#run = null
        resolve({ code, signal })
      })
    })
    this.#run = run
    this.starts++
  }

  /** Kills it, wherever it stands, and resolves when it is gone. */
  async kill(): Promise<void> {
    const run = this.#running()
    run.isEndAsked = true
    this.#measure()
    run.child.kill('SIGKILL')
    await run.ended
  }

  /** As a service manager stops it. The contract gives it 25 s; what is slower is unasked for. */
  async stop(): Promise<End> {
    const run = this.#running()
    run.isEndAsked = true
    this.#measure()
    run.child.kill('SIGTERM')
    const late = delay(STOP_PATIENCE_MS, null, { ref: false })
    const end = await Promise.race([run.ended, late])
    if (end?.code !== 0) {
      const how = end === null ? `still there ${STOP_PATIENCE_MS} ms after SIGTERM` : describe(end)
      this.unasked.push(`${how}, where SIGTERM should have given exit 0\n${this.log.story()}`)
    }
    if (end !== null) return end
    run.child.kill('SIGKILL')
    return await run.ended
  }

  /** For a fault that must end it: waits until it has, by itself. Null when it lives on after `patienceMs`. */
  async endsByItself(patienceMs: number): Promise<End | null> {
    const run = this.#run
    if (run === null) return UNKNOWN_END
    run.isEndAsked = true
    const end = await Promise.race([run.ended, delay(patienceMs, null, { ref: false })])
    if (end === null) run.isEndAsked = false
    return end
  }

  /** From now on its end is no surprise. */
  expectEnd(): void {
    this.#running().isEndAsked = true
  }

  freeze(): void {
    this.#running().child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#running().child.kill('SIGCONT')
  }

  /** A page of its port; null while it does not listen. */
  async get(path: string): Promise<string | null> {
    const http = this.#run?.http
    if (http === null || http === undefined) return null
    this.#measure()
    const answer = await fetch(http + path, { signal: AbortSignal.timeout(PAGE_PATIENCE_MS) }).catch(() => null)
    const body = (await answer?.text().catch(() => null)) ?? null
    if (body !== null) this.log.lookForSecret(path, body)
    return body
  }

  #measure(): void {
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, peakMemoryOf(this.pid))
  }

  #running(): Run {
    const run = this.#run
    invariant(run !== null, `line ${this.line} runs: ${this.unasked.at(-1) ?? 'it was not started'}`)
    return run
  }
}

export type End = Readonly<{ code: number | null; signal: NodeJS.Signals | null }>

type Run = { readonly child: ChildProcess; http: string | null; isEndAsked: boolean; ended: Promise<End> }

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))
/** Above the contract's 25 s, so that the recorder's own deadline is seen first. */
const STOP_PATIENCE_MS = 30_000
/** A frozen or overloaded process answers no page; whoever asks, asks again. */
const PAGE_PATIENCE_MS = 2_000
const UNKNOWN_END: End = { code: null, signal: null }

function describe({ code, signal }: End): string {
  return signal === null ? `exit ${code}` : `ended by ${signal}`
}

/** The most memory that the process ever had resident; 0 when it is gone. */
function peakMemoryOf(pid: number): number {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
    return Number(kib ?? 0) * 1_024
  } catch {
    return 0 // gone meanwhile, or a system without /proc
  }
}

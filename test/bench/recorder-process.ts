import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { nodeOnOwnCore } from './pinning.ts'

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))
/** As services/cli/bin/booktape and the image give it. */
export const NODE_ROOM = '--max-semi-space-size=16'
const TICKS_PER_SECOND = 100 // USER_HZ, on every Linux

/** A process that is measured: what it used, by the kernel's word. */
export class MeasuredProcess {
  readonly ended: Promise<void>
  protected readonly child: ChildProcess
  #isOver = false

  constructor(child: ChildProcess) {
    this.child = child
    const kill = (): void => void child.kill('SIGKILL')
    process.once('exit', kill) // whoever measures is gone: nothing runs on by itself
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => {
        process.off('exit', kill)
        this.#isOver = true
        resolve()
      })
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Processor seconds, the kernel's for it included; NaN where there is no /proc. */
  cpuSeconds(): number {
    const fields = this.#proc('stat')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }

  residentMib(): number {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(this.#proc('status'))?.[1]) / 1024
  }

  peakMib(): number {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(this.#proc('status'))?.[1]) / 1024
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM')
    await this.ended
  }

  #proc(name: string): string {
    try {
      return readFileSync(`/proc/${this.child.pid}/${name}`, 'latin1')
    } catch {
      return ''
    }
  }
}

/** `booktape record` as a container runs it, on a core of its own where that can be. */
export class RecorderProcess extends MeasuredProcess {
  readonly #http = Promise.withResolvers<string>()
  #said = ''

  constructor(env: Readonly<Record<string, string>>, profileDirectory: string | null) {
    const profile = profileDirectory === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`]
    const { command, before } = nodeOnOwnCore
    const child = spawn(command, [...before, NODE_ROOM, ...profile, MAIN, 'record'], {
      env: { ...env, BOOKTAPE_HTTP_PORT: '0', BOOKTAPE_LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    super(child)
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes('"msg":"recording"')) this.#http.resolve((JSON.parse(line) as { http: string }).http)
      if (/"level":[456]0/.test(line)) this.#said += `${line}\n`
    })
    child.stderr.on('data', (text: Buffer) => {
      this.#said += text.toString()
    })
    void this.ended.then(() => this.#http.reject(new Error(`the recorder ended: ${this.#said}`)))
    this.#http.promise.catch(() => undefined)
  }

  /** What it logged as a warning or an error, and whatever else it said to stderr. */
  get complaints(): string {
    return this.#said
  }

  async started(): Promise<void> {
    await this.#http.promise
  }

  async metrics(): Promise<string> {
    const answer = await fetch(`${await this.#http.promise}/metrics`)
    return await answer.text()
  }
}

/** A percentile of a Prometheus histogram in its own unit, taking its buckets as evenly filled. */
export function histogramPercentile(metrics: string, name: string, share: number): number {
  const buckets = [...metrics.matchAll(new RegExp(`^${name}_bucket\\{.*?le="([^"]+)".*?\\} (\\S+)$`, 'gm'))].map(
    ([, le = '', count = '']) => ({
      upTo: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
      count: Number(count),
    }),
  )
  const wanted = (buckets.at(-1)?.count ?? 0) * share
  let below = { upTo: 0, count: 0 }
  for (const bucket of buckets) {
    if (bucket.count >= wanted && bucket.count > below.count) {
      return below.upTo + ((bucket.upTo - below.upTo) * (wanted - below.count)) / (bucket.count - below.count)
    }
    below = bucket
  }
  return Number.NaN
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { invariant } from '@booktape/market'
import type { Environment } from '@booktape/runtime'
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import type { IContainer } from 'kubernetes-models/v1/Container'
import type { IProbe } from 'kubernetes-models/v1/Probe'
import type { SpawnedRecorder } from '../chaos/spawned-recorder.ts'
import type { World } from '../chaos/world.ts'

/**
 * A pod of a recorder as its manifest has it, played by a process: its settings, probes, pre-stop hook and grace are the
 * manifest's own; what differs is where the volumes lie, and that names of pods are ports of this machine.
 */
export class Pod {
  /** Such as `recorder-a-0`. */
  readonly name: string
  readonly line: string
  readonly shard: number
  isReady = false
  readonly #world: World
  readonly #ports: ReadonlyMap<string, number>
  #container: IContainer = { name: '' }
  #graceS = 0
  #env: Environment = {}
  #run: { recorder: SpawnedRecorder; ends: AbortController; probing: Promise<void> } | null = null
  #runs = 0

  private constructor(world: World, ports: ReadonlyMap<string, number>, name: string, line: string, shard: number) {
    this.#world = world
    this.#ports = ports
    this.name = name
    this.line = line
    this.shard = shard
  }

  /** `ports`: where each pod of both lines listens. */
  static of(world: World, ports: ReadonlyMap<string, number>, set: IStatefulSet, ordinal: number): Pod {
    const line = set.spec?.template.metadata?.labels?.['line'] ?? ''
    return new Pod(world, ports, `${set.metadata?.name}-${ordinal}`, line, ordinal)
  }

  /** Creates the pod from this manifest; resolves when its process is started. */
  start(set: IStatefulSet, settings: Environment): void {
    invariant(this.#run === null, `${this.name} is gone before it is made anew`)
    const pod = set.spec?.template.spec
    const [container] = pod?.containers ?? []
    invariant(container !== undefined, `${this.name} has a container`)
    this.#container = container
    this.#graceS = pod?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_S
    this.#env = this.#environment(settings)
    // What a recorder was told once it is told for good: another generation of settings is another recorder on the same volume.
    const recorder = this.#world.recorder(`${this.name}/${this.#runs++}`, this.#env)
    recorder.start()
    const ends = new AbortController()
    this.#run = { recorder, ends, probing: this.#probe(recorder, ends.signal) }
  }

  /** The pre-stop hook, SIGTERM, and what is left of the grace; gives milliseconds of both. */
  async terminate(): Promise<{ hookMs: number; stopMs: number }> {
    const run = this.#run
    invariant(run !== null, `${this.name} runs`)
    const { clock } = this.#world
    const since = (ns: bigint): number => Number((clock.monoNs() - ns) / 1_000_000n)
    const beganNs = clock.monoNs()
    await this.#preStop(beganNs)
    const hookMs = since(beganNs)
    if (hookMs > this.#graceS * 1_000 - 25_000) this.#world.violated(`${this.name}: the hook left no time to stop`)
    const stopNs = clock.monoNs()
    await run.recorder.stop() // an exit other than 0, or none within its limit, is a violation
    run.ends.abort()
    await run.probing
    this.isReady = false
    this.#run = null
    return { hookMs, stopMs: since(stopNs) }
  }

  /** Its process goes on, and nobody probes it any more. */
  async release(): Promise<void> {
    this.#run?.ends.abort()
    await this.#run?.probing
  }

  /** @throws Error when it is not ready within the patience of a drill. */
  async ready(): Promise<void> {
    const patience = AbortSignal.timeout(READY_PATIENCE_MS)
    while (!this.isReady) {
      if (patience.aborted) throw new Error(`${this.name} is not ready: ${await this.#run?.recorder.get('/readyz')}`)
      await delay(LOOK_AGAIN_MS)
    }
  }

  /** As the kubelet expands it: the config map, then `env` in its order, where `$(NAME)` is a variable before. */
  #environment(settings: Environment): Environment {
    const directory = join(this.#world.directory, this.name)
    const env: Record<string, string | undefined> = { ...settings }
    for (const { name, value = '', valueFrom } of this.#container.env ?? []) {
      env[name] =
        this.#field(valueFrom?.fieldRef?.fieldPath) ??
        value.replace(/\$\((\w+)\)/g, (_, known: string) => env[known] ?? '')
    }
    for (const { name, mountPath, readOnly } of this.#container.volumeMounts ?? []) {
      const place = join(directory, name)
      mkdirSync(place, { recursive: true })
      if (readOnly !== true) env['BOOKTAPE_DATA_DIR'] = place
      else writeFileSync(join(place, 'database-url'), this.#world.databaseUrl)
      for (const [variable, path] of Object.entries(env)) {
        if (path?.startsWith(`${mountPath}/`)) env[variable] = join(place, path.slice(mountPath.length))
      }
    }
    const peer = URL.parse(env['BOOKTAPE_PEER_URL'] ?? '')
    if (peer !== null) {
      const port = this.#ports.get(peer.hostname.split('.')[0] ?? '')
      env['BOOKTAPE_PEER_URL'] = `http://127.0.0.1:${port}${peer.pathname}`
    }
    env['BOOKTAPE_HTTP_PORT'] = String(this.#ports.get(this.name))
    env['DATABASE_URL'] = undefined // the world's; these have it from a file
    return env
  }

  #field(path: string | undefined): string | undefined {
    if (path === undefined) return undefined
    const label = /^metadata\.labels\['(.+)'\]$/.exec(path)?.[1]
    if (label === 'line') return this.line
    if (label === 'apps.kubernetes.io/pod-index') return String(this.shard)
    throw new Error(`${path} is not known to a pod of this drill`)
  }

  async #preStop(beganNs: bigint): Promise<void> {
    const [program, ...args] = this.#container.lifecycle?.preStop?.exec?.command ?? []
    if (program === undefined) return
    invariant(program === 'booktape', 'the hook is a command of booktape')
    const env = { PATH: process.env['PATH'], ...this.#env }
    const hook = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    const said = await lastWords(hook)
    if (hook.exitCode === 0) return
    const ms = Number((this.#world.clock.monoNs() - beganNs) / 1_000_000n)
    this.#world.violated(`${this.name}: the hook gave up after ${ms} ms: ${said}`)
  }

  /** As the kubelet does: startup until it succeeds once, then liveness and readiness side by side. */
  async #probe(recorder: SpawnedRecorder, ends: AbortSignal): Promise<void> {
    const { startupProbe, livenessProbe, readinessProbe } = this.#container
    invariant(
      startupProbe !== undefined && livenessProbe !== undefined && readinessProbe !== undefined,
      'it has probes',
    )
    for (let failures = 0; !(await this.#ask(startupProbe)); failures++) {
      if (ends.aborted) return
      if (failures >= (startupProbe.failureThreshold ?? 3)) return this.#world.violated(`${this.name} never started`)
      await pause(startupProbe, ends)
    }
    await Promise.all([
      this.#watch(livenessProbe, ends, (isAlive) => {
        if (!isAlive) this.#world.violated(`${this.name} would be killed: /livez failed\n${recorder.log.story()}`)
      }),
      this.#watch(readinessProbe, ends, (isReady) => {
        this.isReady = isReady
      }),
    ])
  }

  async #watch(probe: IProbe, ends: AbortSignal, tell: (isPassed: boolean) => void): Promise<void> {
    let failures = 0
    for (; !ends.aborted; await pause(probe, ends)) {
      const isPassed = await this.#ask(probe)
      if (ends.aborted) return
      failures = isPassed ? 0 : failures + 1
      if (isPassed) tell(true)
      else if (failures === (probe.failureThreshold ?? 3)) tell(false)
    }
  }

  async #ask(probe: IProbe): Promise<boolean> {
    const url = `http://127.0.0.1:${this.#ports.get(this.name)}${probe.httpGet?.path}`
    const signal = AbortSignal.timeout((probe.timeoutSeconds ?? 1) * 1_000)
    const answer = await fetch(url, { signal }).catch(() => null)
    await answer?.body?.cancel().catch(() => undefined)
    return answer?.ok === true
  }
}

const MAIN = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url))
/** Kubernetes' own. */
const DEFAULT_GRACE_S = 30
/** Far above what a start takes, the venue's minute between two dials included: a hang. */
const READY_PATIENCE_MS = 240_000
const LOOK_AGAIN_MS = 50

async function pause(probe: IProbe, ends: AbortSignal): Promise<void> {
  await delay((probe.periodSeconds ?? 10) * 1_000, undefined, { signal: ends }).catch(() => undefined)
}

async function lastWords(hook: ChildProcess): Promise<string> {
  let said = ''
  hook.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await once(hook, 'close')
  return said.trim()
}

/** A port that was free a moment ago, for each pod: their names are known before they listen. */
export async function portsFor(names: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const servers = names.map(() => createServer())
  await Promise.all(servers.map((server) => once(server.listen(0, '127.0.0.1'), 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return new Map(names.map((name, i) => [name, ports[i] ?? 0]))
}

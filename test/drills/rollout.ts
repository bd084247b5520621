import { setTimeout as delay } from 'node:timers/promises'
import type { Environment } from '@booktape/runtime'
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import type { World } from '../chaos/world.ts'
import { Pod, portsFor } from './pods.ts'

/** What Kubernetes does with the two lines of an overlay, by the rules of StatefulSets with `podManagementPolicy: Parallel`. */
export class Rollout {
  /** Milliseconds that each pod waited for the other line, took to stop, and then to be ready again. */
  readonly hooks: number[] = []
  readonly stops: number[] = []
  readonly starts: number[] = []
  readonly #world: World
  readonly #ports: ReadonlyMap<string, number>
  readonly #pods = new Map<string, Pod>()

  private constructor(world: World, ports: ReadonlyMap<string, number>) {
    this.#world = world
    this.#ports = ports
  }

  /** `atMost`: the most pods of a line that there will be. */
  static async begin(world: World, sets: readonly IStatefulSet[], atMost: number): Promise<Rollout> {
    const ordinals = Array.from({ length: atMost }, (_, ordinal) => ordinal)
    const names = sets.flatMap(({ metadata }) => ordinals.map((ordinal) => `${metadata?.name}-${ordinal}`))
    return new Rollout(world, await portsFor(names))
  }

  /**
   * Applies a new revision of a line: makes the pods that are missing, then replaces the others one by one, from the last
   * to the first, each when those after it have been ready for `minReadySeconds`.
   */
  async apply(set: IStatefulSet, settings: Environment): Promise<void> {
    const ordinals = Array.from({ length: set.spec?.replicas ?? 1 }, (_, ordinal) => ordinal)
    const old = new Set(ordinals.filter((ordinal) => this.#pods.has(`${set.metadata?.name}-${ordinal}`)))
    for (const ordinal of ordinals) if (!old.has(ordinal)) this.#start(set, settings, ordinal)
    for (const ordinal of ordinals.toReversed()) {
      if (old.has(ordinal)) {
        const { hookMs, stopMs } = (await this.#pods.get(`${set.metadata?.name}-${ordinal}`)?.terminate()) ?? {
          hookMs: 0,
          stopMs: 0,
        }
        this.hooks.push(hookMs)
        this.stops.push(stopMs)
        this.#world.count(1, `replaced ${set.metadata?.name}-${ordinal}`)
        this.#start(set, settings, ordinal)
      }
      await this.#available(set, ordinal)
    }
  }

  /** Leaves the processes to whoever judges them. */
  async end(): Promise<void> {
    await Promise.all([...this.#pods.values()].map((pod) => pod.release()))
  }

  #start(set: IStatefulSet, settings: Environment, ordinal: number): void {
    const name = `${set.metadata?.name}-${ordinal}`
    const pod = this.#pods.get(name) ?? Pod.of(this.#world, this.#ports, set, ordinal)
    this.#pods.set(name, pod)
    pod.start(set, settings)
  }

  async #available(set: IStatefulSet, ordinal: number): Promise<void> {
    const pod = this.#pods.get(`${set.metadata?.name}-${ordinal}`)
    const beganNs = this.#world.clock.monoNs()
    await pod?.ready()
    this.starts.push(Number((this.#world.clock.monoNs() - beganNs) / 1_000_000n))
    const minReadyMs = (set.spec?.minReadySeconds ?? 0) * 1_000
    for (let readyMs = 0; readyMs < minReadyMs; readyMs += LOOK_AGAIN_MS) {
      await delay(LOOK_AGAIN_MS)
      if (pod?.isReady === false) {
        await pod.ready()
        readyMs = 0
      }
    }
  }
}

const LOOK_AGAIN_MS = 100

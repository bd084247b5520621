import { RETRY_CLASSES } from '@booktape/store'
import type { Cable } from './cable.ts'
import { Dice } from './dice.ts'
import { FAULT_KINDS, type FaultKind, swarm } from './fault-kinds.ts'
import { injectIntoFrames, isFrameKind } from './frame-nemesis.ts'
import { US_PER_MS, US_PER_S } from './virtual-time.ts'
import type { World } from './world.ts'

const HOUR_NS = 3_600_000_000_000n
/** Within these a fault that lasts for a while lasts. */
const WHILE_S = [1, 30] as const
/** After the first of a segment's entries were confirmed, and hardly after its checkpoint was written. */
const EARLY_US = [500, 8_000] as const
/** Commits that another database may lack when it takes over: mostly fewer than the journal keeps entries for. */
const LOST_COMMITS = [1, 40] as const
/** The share of takeovers that set the database back to any earlier time, as a backup does. */
const SHARE_RESTORED = 0.03
const OFFSETS = [1_000n, 1_000_000n, 1_000_000_000n] as const
/** Exactly this share of the seeds has no faults at all: what is told there was told for nothing. */
const SHARE_CALM = 0.04

/** Does to a world, at random times, what may be done to it. Every decision is the seed's. */
export class Nemesis {
  readonly #world: World
  readonly #dice: Dice
  readonly #rates: ReadonlyMap<FaultKind, number>
  #isOver = false

  constructor(world: World) {
    this.#world = world
    this.#dice = new Dice(world.seed, 'nemesis')
    this.#rates = this.#dice.chance(SHARE_CALM) ? new Map() : swarm(this.#dice)
  }

  start(): void {
    for (const kind of this.#rates.keys()) this.#schedule(kind)
  }

  /** Everything that is broken is mended, but for what a recorder must find out by itself. */
  heal(): void {
    this.#isOver = true
    const { world } = this.#context()
    const { exchange, network, disk, database } = world
    exchange.faults.clear()
    for (const symbol of exchange.symbols) {
      exchange.faults.inject({ fault: 'resume_publishing', symbol })
      exchange.faults.inject({ fault: 'reopen_book', symbol })
    }
    disk.watch = null
    network.faults.dials = []
    network.faults.lostReplies = 0
    network.faults.slowUntilUs = 0
    for (const cable of network.open) cable.stalledUntilUs = 0
    Object.assign(disk.faults, { shortWrites: 0, failingWrites: 0, failingSyncs: 0, isFull: false, slowSyncUntilUs: 0 })
    Object.assign(database.faults, {
      downUntilUs: 0,
      slowUntilUs: 0,
      lostBeforeCommit: 0,
      lostAfterCommit: 0,
      refusals: [],
      positionAway: 0,
    })
    if (world.process !== null) world.process.gate.stalledUntilUs = 0
    world.tell('everything is healed')
  }

  #schedule(kind: FaultKind): void {
    const intervalS = this.#rates.get(kind) ?? Number.POSITIVE_INFINITY
    this.#world.time.after(this.#dice.exponential(intervalS) * US_PER_S, null, () => {
      if (this.#isOver) return
      this.#inflict(kind)
      this.#schedule(kind)
    })
  }

  #context() {
    const world = this.#world
    const forUs = Math.round(this.#dice.logBetween(...WHILE_S) * US_PER_S)
    return { world, dice: this.#dice, forUs, untilUs: world.time.nowUs + forUs }
  }

  #tell(kind: FaultKind, about = '', isDone = true): void {
    this.#world.tell(`${kind}: ${FAULT_KINDS[kind]}${about === '' ? '' : ` (${about})`}`)
    if (isDone) this.#world.count(kind)
  }

  /** Does one fault of the kind. Those that wait for their moment are counted when it comes. */
  #inflict(kind: FaultKind): void {
    const { world, dice, forUs, untilUs } = this.#context()
    const { network, disk, database, exchange, process, time } = world
    const forSeconds = `${(forUs / US_PER_S).toFixed(1)} s`
    if (isFrameKind(kind)) {
      const about = injectIntoFrames(world, dice, kind)
      if (about !== null) this.#tell(kind, about)
      return
    }
    switch (kind) {
      case 'slow_network':
        network.faults.slowUntilUs = untilUs
        world.stalledUntilUs = Math.max(world.stalledUntilUs, untilUs)
        return this.#tell(kind, forSeconds)
      case 'network_stall':
        return this.#onCable(kind, (cable) => {
          cable.stalledUntilUs = untilUs
          world.stalledUntilUs = Math.max(world.stalledUntilUs, untilUs)
        })
      case 'cut':
        return this.#onCable(kind, (cable) => cable.cut())
      case 'half_open':
        return this.#onCable(kind, (cable) => cable.goDead())
      case 'venue_close':
        return this.#onCable(kind, ({ theirs }) => {
          const code = dice.pick([1000, 1001, 1008, 1011, 1012, 4000]) ?? 1000
          exchange.faults.inject({ fault: 'close', connection: theirs?.id ?? 0, code, reason: 'simulated' })
        })
      case 'venue_silent':
        return this.#onCable(kind, (cable) => {
          cable.silentSinceUs ??= time.nowUs
          exchange.faults.inject({ fault: 'half_open', connection: cable.theirs?.id ?? 0 })
        })
      case 'accept_then_close':
      case 'unreachable':
      case 'dial_timeout':
        network.faults.dials.push(kind)
        return this.#tell(kind, '', false)
      case 'refused_429':
      case 'refused_503':
      case 'refused_403': {
        const status = Number(kind.slice(-3))
        const feed = dice.pick(world.run.feeds) ?? 'ws'
        const retryAfterS = kind === 'refused_429' && dice.chance(0.7) ? { retryAfterS: dice.between(1, 45) } : {}
        exchange.faults.inject({
          fault: 'refuse_upgrade',
          feed,
          status,
          times: kind === 'refused_503' ? dice.between(1, 4) : 1,
          ...retryAfterS,
        })
        return this.#tell(kind, feed, false)
      }
      case 'rest_lost':
        network.faults.lostReplies += dice.between(1, 4)
        return this.#tell(kind, '', false)
      case 'rest_refused':
        exchange.faults.inject({
          fault: 'refuse_rest',
          status: dice.pick([400, 429, 503]) ?? 503,
          times: dice.between(1, 4),
        })
        return this.#tell(kind, '', false)
      case 'stop_publishing':
      case 'empty_book': {
        const symbol = dice.pick(exchange.symbols) ?? ''
        if (kind === 'stop_publishing') world.mutes.push({ symbol, fromUs: time.nowUs, toUs: untilUs })
        exchange.faults.inject({ fault: kind, symbol })
        const undo = kind === 'empty_book' ? 'reopen_book' : 'resume_publishing'
        time.after(forUs, null, () => void exchange.faults.inject({ fault: undo, symbol }))
        return this.#tell(kind, `${symbol}, ${forSeconds}`)
      }
      case 'refuse_subscribe': {
        const symbol = dice.pick(exchange.symbols) ?? ''
        exchange.faults.inject({ fault: kind, symbol })
        return this.#tell(kind, symbol)
      }
      case 'wrong_first_sequence':
        exchange.faults.inject({ fault: kind, sequence: dice.between(1, 9) })
        return this.#tell(kind)
      case 'unsubscribed':
        return this.#onCable(kind, ({ theirs }) => {
          if (theirs?.feed !== 'ws') return
          const stream = `${dice.pick(exchange.symbols)}@${dice.pick(['depth@100ms', 'trade', 'bookTicker'])}`
          theirs.receive(JSON.stringify({ id: 'nobody', method: 'unsubscribe', params: [stream] }))
          world.tell(`… ${stream}`)
        })
      case 'ids_restart':
        network.faults.idOffset += (dice.pick(OFFSETS) ?? 1_000n) * BigInt(dice.between(1, 1000))
        for (const cable of network.open) cable.theirs?.close(1012, 'service restart')
        return this.#tell(kind)
      case 'corrupt':
      case 'journal_full': // by a journal that is small from the beginning
        return
      case 'short_write':
        disk.faults.shortWrites += dice.between(1, 5)
        return this.#tell(kind, '', false)
      case 'write_error':
        disk.faults.failingWrites = 1
        return this.#tell(kind, '', false)
      case 'sync_error':
        disk.faults.failingSyncs = 1
        return this.#tell(kind, '', false)
      case 'disk_full':
        disk.faults.isFull = true
        time.after(forUs, null, () => {
          disk.faults.isFull = false
        })
        return this.#tell(kind, forSeconds)
      case 'slow_sync':
        disk.faults.slowSyncUntilUs = untilUs
        world.stalledUntilUs = Math.max(world.stalledUntilUs, untilUs)
        return this.#tell(kind, forSeconds)
      case 'bit_flip': {
        const segments = disk.paths().filter((path) => path.endsWith('.segment'))
        return this.#flip(kind, segments.slice(0, -1))
      }
      case 'checkpoint_damaged':
        this.#flip(kind, this.#checkpoints())
        return world.killProcess()
      case 'checkpoint_lost': {
        const newest = this.#checkpoints().at(-1)
        if (newest === undefined) return
        disk.lose(newest)
        this.#tell(kind, newest)
        return world.killProcess()
      }
      case 'database_down':
        database.faults.downUntilUs = untilUs
        return this.#tell(kind, forSeconds)
      case 'database_slow':
        database.faults.slowUntilUs = untilUs
        return this.#tell(kind, forSeconds)
      case 'lost_before_commit':
        database.faults.lostBeforeCommit += dice.between(1, 3)
        return this.#tell(kind, '', false)
      case 'lost_after_commit':
        database.faults.lostAfterCommit += dice.between(1, 3)
        return this.#tell(kind, '', false)
      case 'transaction_refused':
        for (let n = dice.between(1, 4); n > 0; n--)
          database.faults.refusals.push(dice.pick(RETRY_CLASSES) ?? 'deadlock')
        return this.#tell(kind, '', false)
      case 'position_away':
        database.faults.positionAway += dice.between(1, 3)
        return this.#tell(kind, '', false)
      case 'failover':
        return this.#tell(kind, `${database.failOver(this.#lostCommits())} commits`)
      case 'kill':
        this.#tell(kind)
        return world.killProcess()
      case 'double_kill':
        this.#tell(kind)
        world.killProcess(100 * US_PER_MS)
        time.after(100 * US_PER_MS + dice.between(0, 20 * US_PER_MS), null, () => world.killProcess())
        return
      case 'power_loss':
      case 'torn_write':
        this.#tell(kind)
        world.killProcess()
        return disk.losePower(kind === 'torn_write')
      case 'power_loss_at_segment': {
        const created = (): void =>
          void time.after(dice.between(...EARLY_US), null, () => {
            if (this.#isOver) return
            this.#tell(kind)
            world.killProcess()
            disk.losePower(false)
          })
        disk.watch = { ending: '.segment', created }
        return
      }
      case 'tail_lost': {
        const segment = disk.paths().findLast((path) => path.endsWith('.segment'))
        world.killProcess()
        disk.losePower(false)
        if (segment !== undefined) disk.cut(segment)
        return this.#tell(kind)
      }
      case 'stop':
        if (process === null) return
        this.#tell(kind)
        return process.stop()
      case 'loop_stall':
        if (process === null) return
        process.gate.stalledUntilUs = untilUs
        world.stalledUntilUs = Math.max(world.stalledUntilUs, untilUs)
        return this.#tell(kind, forSeconds)
      case 'wall_jump':
        world.wallOffsetNs += (dice.pick([-24n, -1n, 1n, 24n]) ?? 1n) * HOUR_NS
        return this.#tell(kind)
      case 'wall_smear':
        world.wallOffsetNs += BigInt(dice.between(-500, 500)) * 1_000_000n
        return this.#tell(kind)
    }
  }

  #lostCommits(): number {
    const all = this.#world.database.commits.length
    return this.#dice.chance(SHARE_RESTORED) ? this.#dice.between(0, all) : this.#dice.between(...LOST_COMMITS)
  }

  #onCable(kind: FaultKind, act: (cable: Cable) => void): void {
    const cable = this.#dice.pick(this.#world.network.open)
    if (cable === undefined) return
    this.#tell(kind, `${cable.theirs?.feed} connection ${cable.theirs?.id}`)
    act(cable)
  }

  #checkpoints(): readonly string[] {
    return this.#world.disk.paths().filter((path) => path.endsWith('.checkpoint'))
  }

  #flip(kind: FaultKind, paths: readonly string[]): void {
    const { disk } = this.#world
    const path = this.#dice.pick(paths)
    if (path === undefined) return
    const at = this.#dice.between(0, disk.bytesOf(path) - 1)
    disk.flipBit(path, at)
    this.#tell(kind, `${path} at ${at}`)
  }
}

import { createHash } from 'node:crypto'
import { Exchange, presetOf, type SymbolSpec } from '@booktape/exchange'
import { type Entry, type Journal, JournalError } from '@booktape/journal'
import { InvariantError, invariant } from '@booktape/market'
import { readEntry } from '@booktape/recorder'
import { StoreError } from '@booktape/store'
import type { Cable } from './cable.ts'
import { Dice } from './dice.ts'
import type { FaultKind } from './fault-kinds.ts'
import { type Ending, type Machine, type ProcessSettings, RecorderProcess } from './recorder-process.ts'
import { SimulatedDatabase } from './simulated-database.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { US_PER_MS, US_PER_S, VirtualTime } from './virtual-time.ts'

/** The exchange's frames are collected this often. */
const COLLECT_INTERVAL_US = 20 * US_PER_MS
/** Small and busy enough that minutes of them cost milliseconds; each with its own pace and product. */
const MARKETS = [
  { symbol: 'trumpgusdperp', changesPerSecond: 2, tradesPerSecond: 0.2 },
  { symbol: 'avaxgusdperp', changesPerSecond: 4, tradesPerSecond: 0.4 },
  { symbol: 'usdtgusd', changesPerSecond: 0.1, tradesPerSecond: 0.02 },
  { symbol: 'hypegusdperp', changesPerSecond: 1, tradesPerSecond: 0.1 },
] as const
const SEGMENT_BYTES = [16 * 1024, 256 * 1024] as const
const RETENTION_MS = 120_000
const LIMIT_BYTES = 64 * 1024 * 1024
/** A journal so small that a database that is away for long fills it. */
const SMALL_LIMIT_BYTES = [100_000, 500_000] as const
/** A journal of fewer segments, each with its checkpoint, could release none, and would stay full for ever. */
const LEAST_SEGMENTS = 5
const CHECKPOINT_BYTES = 20 * 1024
const SHARE_SMALL = 0.2
/** Connections live for a minute or two in these worlds: some are replaced before, as after a day in the real one. */
const ROTATE_AFTER_MS = [15_000, 300_000] as const
const SHARE_ROTATING = 0.5
/** A commit that was under way when its process was killed is done within this. */
const LAST_COMMIT_US = 30 * US_PER_S
const RESTART_US = [50 * US_PER_MS, 3 * US_PER_S] as const

export type Tale = Readonly<{ us: number; text: string }>

/** Everything of one seed: the exchange, the network, one machine with its disk and database, and the recorder on it. */
export class World {
  readonly seed: number
  readonly dice: Dice
  readonly time = new VirtualTime()
  readonly exchange: Exchange
  readonly network: SimulatedNetwork
  readonly disk: SimulatedDisk
  readonly database: SimulatedDatabase
  readonly story: Tale[] = []
  readonly violations: Tale[] = []
  readonly faults = new Map<FaultKind, number>()
  readonly firstFaultUs = new Map<FaultKind, number>()
  /** Every entry that the journal of this id gave back as durable, in order. */
  readonly accepted = new Map<string, Entry[]>()
  /** Journals that a fault of the disk took confirmed entries from, or the checkpoint they began with. */
  readonly robbed = new Set<string>()
  readonly cables = new Map<string, Cable>() // by the recorder's session id
  /** When the venue sent nothing of a symbol, on connections that were well. */
  readonly mutes: { readonly symbol: string; readonly fromUs: number; toUs: number }[] = []
  process: RecorderProcess | null = null
  wallOffsetNs = 0n
  /** Until then frames, syncs or the process may stand still. */
  stalledUntilUs = 0
  restarts = 0
  /** When the process that runs now was started. */
  startedUs = 0
  entries = 0
  onSecond: () => void = () => undefined
  readonly #settings: ProcessSettings
  readonly #hash = createHash('sha256')
  #collectUs: number
  #failoversSeen = 0

  constructor(seed: number) {
    this.seed = seed
    this.dice = new Dice(seed, 'world')
    const markets = MARKETS.filter(() => this.dice.chance(0.6))
    const symbols = (markets.length === 0 ? [MARKETS[0]] : markets).map(specOf)
    this.exchange = new Exchange({ seed, symbols, startNs: this.time.wallNs })
    this.network = new SimulatedNetwork(this.time, new Dice(seed, 'network'), this.exchange)
    this.disk = new SimulatedDisk(this.time, new Dice(seed, 'disk'))
    this.database = new SimulatedDatabase(this.time, new Dice(seed, 'database'))
    this.#collectUs = this.time.nowUs
    const feeds = this.dice.pick([['v1', 'ws'], ['v1', 'ws'], ['ws'], ['v1']] as const)
    invariant(feeds !== undefined, 'one of four is chosen')
    const maxSegmentBytes = Math.round(this.dice.logBetween(...SEGMENT_BYTES))
    const isSmall = this.dice.chance(SHARE_SMALL)
    this.#settings = {
      run: {
        line: 'a',
        symbols: symbols.map(({ symbol }) => symbol),
        feeds,
        v1Url: 'ws://127.0.0.1:1',
        wsUrl: 'ws://127.0.0.1:2',
        snapshotIntervalMs: 10_000,
        rotateAfterMs: this.dice.chance(SHARE_ROTATING) ? Math.round(this.dice.logBetween(...ROTATE_AFTER_MS)) : null,
      },
      maxSegmentBytes,
      retentionMs: RETENTION_MS,
      limitBytes: isSmall
        ? LEAST_SEGMENTS * (maxSegmentBytes + CHECKPOINT_BYTES) + this.dice.between(...SMALL_LIMIT_BYTES)
        : LIMIT_BYTES,
    }
    for (const part of [this.network, this.disk, this.database]) {
      part.onFault = (kind) => this.count(kind as FaultKind)
    }
    this.time.every(US_PER_S, null, () => this.onSecond())
  }

  get run(): ProcessSettings['run'] {
    return this.#settings.run
  }

  /** Of all entries the journals confirmed, in their order: the same for the same seed. */
  get hash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16)
  }

  tell(text: string): void {
    this.story.push({ us: this.time.nowUs, text })
  }

  violate(text: string): void {
    this.violations.push({ us: this.time.nowUs, text })
    this.tell(`VIOLATION: ${text}`)
  }

  count(kind: FaultKind, by = 1): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + by)
    if (!this.firstFaultUs.has(kind)) this.firstFaultUs.set(kind, this.time.nowUs)
  }

  /** Lets virtual time pass. */
  async pass(untilUs: number): Promise<void> {
    const { time } = this
    while (time.nowUs < untilUs) {
      const before = time.activity
      if (time.nextUs <= this.#collectUs) {
        time.runNext(untilUs)
        while (time.nextUs <= time.nowUs) time.runNext(untilUs)
      } else {
        time.runNext(Math.min(this.#collectUs, untilUs)) // nothing is due: the time moves
        if (time.nowUs < this.#collectUs) return
        this.#collectUs += COLLECT_INTERVAL_US
        this.exchange.advanceTo(time.wallNs)
        this.network.collect()
      }
      if (time.activity !== before) await time.settle()
    }
  }

  startProcess(): void {
    invariant(this.process === null, 'one recorder at a time')
    const { time, disk, database, network } = this
    const machine: Machine = { time, disk, database, network, wallOffsetNs: () => this.wallOffsetNs }
    const dice = new Dice(this.seed, `process ${this.restarts}`)
    const process = new RecorderProcess(machine, this.#settings, dice, {
      opened: (journal) => this.#onOpened(journal),
      accepted: (journalId, entries) => this.#onAccepted(journalId, entries),
      ended: (ending) => this.#onEnded(process, ending),
      forgot: (journalId) => {
        if (this.robbed.has(journalId)) return
        this.robbed.add(journalId)
        this.tell('what the process knew is lost')
      },
      full: () => {
        this.count('journal_full')
        this.tell('the journal is full')
      },
    })
    this.process = process
    this.startedUs = this.time.nowUs
    process.start()
  }

  /** Ends the process at once; it is started again after a while, unless `forUs` says when. */
  killProcess(forUs = this.dice.between(...RESTART_US)): void {
    this.process?.kill()
    this.process = null
    this.#restartAfter(forUs)
  }

  #restartAfter(us: number): void {
    this.restarts++
    this.time.after(us, null, () => {
      if (this.process === null) this.startProcess()
    })
  }

  #onEnded(process: RecorderProcess, ending: Ending): void {
    if (this.process !== process) return
    this.process = null
    if (ending.kind === 'stopped') this.tell('the process stopped')
    else {
      const problem =
        ending.error instanceof Error ? `${ending.error.name}: ${ending.error.message}` : String(ending.error)
      this.tell(`the process failed: ${problem}`)
      if (!this.#isDesignedExit(ending.error)) {
        const stack = ending.error instanceof Error ? (ending.error.stack ?? '') : ''
        this.violate(`G18: the process failed with what nobody designed: ${problem}\n${stack}`)
      }
    }
    if (ending.kind === 'failed' || !this.isOver) this.#restartAfter(this.dice.between(...RESTART_US))
  }

  /** Set when the last stop is asked for: after it nothing is started again. */
  isOver = false

  /** Failures by which a recorder is meant to end: its disk failed, or its position in the database moved. */
  #isDesignedExit(error: unknown): boolean {
    if (error instanceof InvariantError) return false
    const hasDiskFault = (['write_error', 'sync_error', 'disk_full'] as const).some((kind) => this.faults.has(kind))
    if (error instanceof JournalError) {
      const isDisk = error.code === 'WRITE_FAILED' || error.code === 'SYNC_FAILED'
      return (isDisk && hasDiskFault) || (error.code === 'DAMAGED' && this.faults.has('bit_flip'))
    }
    if (error instanceof StoreError) return error.code === 'POSITION_MOVED' && this.#hasMovedPosition()
    const code = error instanceof Error && 'code' in error ? error.code : ''
    return (code === 'ENOSPC' || code === 'EIO') && hasDiskFault
  }

  /** The position moves without its recorder by a failover, and by the last commit of a process that was killed. */
  #hasMovedPosition(): boolean {
    const failovers = this.faults.get('failover') ?? 0
    const isNew = failovers > this.#failoversSeen
    this.#failoversSeen = failovers
    return isNew || (this.database.wasAhead && this.time.nowUs - this.startedUs < LAST_COMMIT_US)
  }

  async #onOpened(journal: Journal): Promise<void> {
    const known = this.accepted.get(journal.journalId) ?? []
    this.accepted.set(journal.journalId, known)
    const { lastPosition, damage } = journal.recovery
    const lastKnown = known.at(-1)?.position ?? 0
    const damaged = damage === null ? '' : `, damaged: ${damage.reason}`
    this.tell(`the process starts; its journal ends at ${lastPosition} (${lastKnown} were confirmed)${damaged}`)
    if (lastPosition < lastKnown) {
      if (!this.faults.has('bit_flip'))
        this.violate(`G2: the journal lost entries it had confirmed, from ${lastPosition + 1}`)
      this.robbed.add(journal.journalId)
      known.length = known.findIndex((entry) => entry.position > lastPosition)
    }
    try {
      if (lastPosition <= lastKnown) return
      for await (const entries of journal.read(lastKnown + 1, lastPosition))
        this.#onAccepted(journal.journalId, entries)
    } catch {
      this.robbed.add(journal.journalId) // a flipped bit; the process finds it too
    }
  }

  #onAccepted(journalId: string, entries: readonly Entry[]): void {
    const known = this.accepted.get(journalId)
    invariant(known !== undefined, 'a journal is opened before it confirms')
    for (const entry of entries) {
      const kept = { ...entry, payload: entry.payload.slice() }
      known.push(kept)
      this.entries++
      this.#hash.update(`${kept.position} ${kept.kind} ${kept.wallNs} ${kept.monoNs} ${kept.connection}`)
      this.#hash.update(kept.payload)
      const event = kept.kind === DIALING ? readEntry(kept) : null
      if (event?.kind !== 'dialing') continue
      const cable = this.network.lastDialed(event.connection)
      if (cable !== undefined) this.cables.set(event.sessionId, cable)
    }
  }
}

/** The journal's number for a dial (services/recorder, entries.ts): numbers on disk never change. */
const DIALING = 4

function specOf(market: (typeof MARKETS)[number]): SymbolSpec {
  const preset = presetOf(market.symbol)
  invariant(preset !== null, `the exchange has ${market.symbol}`)
  return { ...preset, ...market, bids: Math.min(preset.bids, 12), asks: Math.min(preset.asks, 12) }
}

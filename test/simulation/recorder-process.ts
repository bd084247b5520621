import { deserialize, serialize } from 'node:v8'
import { type Entry, Journal } from '@booktape/journal'
import { invariant } from '@booktape/market'
import {
  Corridor,
  DamageFoundError,
  Fleet,
  fastForward,
  isRestOrder,
  LostEntriesError,
  loadCheckpoint,
  obeyRest,
  Scribe,
} from '@booktape/recorder'
import { type Clock, linkSignals } from '@booktape/runtime'
import { type CorridorState, type RestReply, type RunSettings, TICK_MS } from '@booktape/session'
import { type Budget, DIAL_BURST, TokenBucket } from '@booktape/transport'
import type { Dice } from './dice.ts'
import type { RecordList, SimulatedDatabase } from './simulated-database.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import { type Gate, US_PER_MS, US_PER_S, type VirtualTime } from './virtual-time.ts'

/** What a recorder runs on. */
export type Machine = Readonly<{
  time: VirtualTime
  disk: SimulatedDisk
  database: SimulatedDatabase
  network: SimulatedNetwork
  wallOffsetNs(): bigint
}>

export type ProcessSettings = Readonly<{
  run: Omit<RunSettings, 'runId'>
  maxSegmentBytes: number
  retentionMs: number
  limitBytes: number
}>

export type Ending = Readonly<{ kind: 'stopped' } | { kind: 'failed'; error: unknown }>

export type ProcessEvents = Readonly<{
  opened(journal: Journal): Promise<void>
  accepted(journalId: string, entries: readonly Entry[]): void
  ended(ending: Ending): void
  full(): void
  forgot(journalId: string): void
}>

const DIRECTORY = '/journal'
/** The recorder's own is ten minutes, for a journal of gigabytes: here the journal is small, and full before that. */
const HOUSEKEEPING_INTERVAL_US = 5 * US_PER_S
const DIALS_PER_MINUTE = 60
/** Each of several damages may be found at a beginning of its own; more than a handful are one that is found for ever. */
const MAX_BEGINNINGS = 8
/** As in services/recorder: how long a stop waits for the database. */
const DRAIN_DEADLINE_MS = 18_000

/**
 * One recorder from start to end: the real journal, corridor, scribe, checkpoints and fleet on a simulated machine, put
 * together as services/recorder does it, without its admin server.
 */
export class RecorderProcess {
  readonly gate: Gate = { isDead: false, stalledUntilUs: 0 }
  journal: Journal | null = null
  scribe: Scribe<RecordList> | null = null
  readonly #machine: Machine
  readonly #settings: ProcessSettings
  readonly #dice: Dice
  readonly #events: ProcessEvents
  readonly #clock: Clock
  readonly #stopping = new AbortController()
  #corridor: Corridor | null = null

  constructor(machine: Machine, settings: ProcessSettings, dice: Dice, events: ProcessEvents) {
    this.#machine = machine
    this.#settings = settings
    this.#dice = dice
    this.#events = events
    this.#clock = machine.time.clockOf(this.gate, machine.wallOffsetNs)
  }

  /** The state at the live edge; null before it is known. */
  get state(): Readonly<CorridorState> | null {
    return this.#corridor?.state ?? null
  }

  get isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  start(): void {
    this.#machine.time.activity++
    this.#record().then(
      () => this.#end({ kind: 'stopped' }),
      (error: unknown) => this.#end({ kind: 'failed', error }),
    )
  }

  /** As SIGTERM does. */
  stop(): void {
    this.#stopping.abort()
    this.#machine.time.activity++
  }

  /** As SIGKILL does: not one more instruction. */
  kill(): void {
    this.gate.isDead = true
    this.#machine.network.dropAll(this.gate)
  }

  #end(ending: Ending): void {
    if (this.gate.isDead) return
    this.kill()
    this.#events.ended(ending)
  }

  /** Runs what the system calls back; what it throws is an uncaught exception and ends the process. */
  #guard(call: () => void): void {
    if (this.gate.isDead) return
    try {
      call()
    } catch (error) {
      this.#end({ kind: 'failed', error })
    }
  }

  async #record(): Promise<void> {
    let isSuccessor = false
    for (let beginnings = 1; ; beginnings++) {
      invariant(beginnings <= MAX_BEGINNINGS, 'a recorder that begins anew mends what made it')
      try {
        return await this.#recordOnJournal(isSuccessor)
      } catch (error) {
        if (!(error instanceof LostEntriesError) && !(error instanceof DamageFoundError)) throw error
        if (this.journal !== null) this.#events.forgot(this.journal.journalId)
        if (error instanceof LostEntriesError) {
          await Journal.retire(DIRECTORY, this.#machine.disk.for(this.gate))
          isSuccessor = true
        }
      }
    }
  }

  async #recordOnJournal(isSuccessor: boolean): Promise<void> {
    const { time, disk, database, network } = this.#machine
    const { maxSegmentBytes, retentionMs, limitBytes } = this.#settings
    const clock = this.#clock
    const failure = Promise.withResolvers<never>()
    failure.promise.catch(() => undefined)
    const journal = await Journal.open(DIRECTORY, {
      disk: disk.for(this.gate),
      journalId: this.#dice.uuid(),
      maxSegmentBytes,
      retentionMs,
      limitBytes,
      syncIntervalMs: 0,
      onFailure: (error) => failure.reject(error),
    })
    this.journal = journal
    await this.#events.opened(journal)
    const newest = await loadCheckpoint(journal, journal.syncedPosition, isSuccessor)
    const live = await fastForward(journal, newest, journal.syncedPosition)
    const stored = await loadCheckpoint(journal, database.position(journal.journalId), isSuccessor)
    if (newest.blankFrom !== null || stored.blankFrom !== null || live.damage.size > 0)
      this.#events.forgot(journal.journalId)
    const scribe = new Scribe({
      journal,
      live,
      isSuccessor,
      writer: database.writerFor(this.gate, journal.journalId),
      clock,
      events: { committed: () => undefined, failed: () => undefined, level: () => undefined },
    })
    const ending = new AbortController()
    const drained = new AbortController()
    const asking = linkSignals(this.#stopping.signal, ending.signal)
    const rest = network.restFor(this.gate)
    const now = () => ({ wallNs: clock.wallNs(), monoNs: clock.monoNs() })
    const noteNow = (event: RestReply): void => {
      time.activity++
      corridor.note({ ...event, at: now() })
    }
    const fleet = new Fleet({
      clock,
      budget: this.#budget(),
      openSocket: network.openSocketFor(this.gate, (call) => this.#guard(call)),
      newSessionId: () => this.#dice.uuid(),
      note: (event) => {
        time.activity++
        corridor.note(event)
      },
      onRefusedSend: () => undefined,
    })
    this.#listen(journal)
    const corridor = new Corridor({
      journal,
      clock,
      live,
      scribe,
      observer: { observe: () => undefined, journalSynced: () => undefined },
      obey: (orders) => {
        for (const order of orders) {
          if (isRestOrder(order))
            void obeyRest(order, rest, (reply) => this.#guard(() => noteNow(reply)), asking.signal)
          else fleet.obey([order])
        }
      },
      onCheckpointFailure: () => undefined,
    })
    this.scribe = scribe
    this.#corridor = corridor

    const timers: (() => void)[] = []
    const every = (us: number, run: () => void): void =>
      void timers.push(time.every(us, this.gate, () => this.#guard(run)))
    try {
      const storing = scribe.run(drained.signal)
      storing.catch((error: unknown) => failure.reject(error))
      corridor.note({ kind: 'started', at: now(), run: { ...this.#settings.run, runId: this.#dice.uuid() } })
      let isFull = false
      let isReleasing = false
      const release = async (): Promise<void> => {
        const written = scribe.writtenPosition
        if (written !== null) await journal.release(written, clock.wallNs())
      }
      every(TICK_MS * US_PER_MS, () => {
        if (journal.isFull !== isFull) {
          isFull = journal.isFull
          if (isFull) fleet.hold()
          else fleet.release()
          if (isFull) this.#events.full()
          corridor.note({ kind: isFull ? 'suspended' : 'resumed', at: now() })
        }
        if (isFull) {
          release().catch((error: unknown) => failure.reject(error))
          return
        }
        if (journal.isCrowded && !isReleasing) {
          isReleasing = true
          release()
            .catch(() => undefined)
            .finally(() => {
              isReleasing = false
            })
        }
        if (journal.shouldPause) fleet.pause()
        else if (journal.shouldResume) fleet.resume()
        corridor.note({ kind: 'tick', at: now() })
      })
      every(HOUSEKEEPING_INTERVAL_US, () => void release().catch(() => undefined))
      await Promise.race([aborted(this.#stopping.signal), failure.promise])
      for (const cancel of timers) cancel()
      fleet.close()
      corridor.note({ kind: 'stopped', at: now() })
      await journal.sync()
      await corridor.saveCheckpoint()
      await drain(scribe, clock)
      drained.abort()
      await Promise.race([storing, failure.promise])
    } finally {
      ending.abort()
      asking.release()
      drained.abort()
      for (const cancel of timers) cancel()
      fleet.close()
      await journal.close().catch(() => undefined)
    }
  }

  /** What the journal gives back is told to the world before the corridor; what the corridor throws ends the process. */
  #listen(journal: Journal): void {
    const onSynced = journal.onSynced.bind(journal)
    journal.onSynced = (listener) =>
      onSynced((entries) => {
        if (this.gate.isDead) return
        this.#events.accepted(journal.journalId, entries)
        this.#guard(() => listener(entries))
      })
    // The same state has several serializations, by how the engine happens to hold its numbers: here each has the same length.
    const write = journal.writeCheckpoint.bind(journal)
    journal.writeCheckpoint = (position, bytes) => write(position, serialize(deserialize(bytes)))
  }

  /** The dial budget of packages/transport on virtual time: its own waits on a timer of Node. */
  #budget(): Pick<Budget, 'acquire' | 'waiting'> {
    const { time } = this.#machine
    const bucket = new TokenBucket({ perMinute: DIALS_PER_MINUTE, burst: DIAL_BURST })
    const turn = async (signal: AbortSignal): Promise<void> => {
      for (;;) {
        signal.throwIfAborted()
        const waitMs = bucket.takeAt(time.nowUs / US_PER_MS)
        if (waitMs === 0) return
        await this.#clock.sleep(waitMs, signal)
      }
    }
    return { acquire: turn, waiting: 0 }
  }
}

async function drain(scribe: Scribe<RecordList>, clock: Clock): Promise<void> {
  scribe.drain()
  const deadlineNs = clock.monoNs() + BigInt(DRAIN_DEADLINE_MS) * 1_000_000n
  while (scribe.backlog > 0 && scribe.isReachable && clock.monoNs() < deadlineNs) await clock.sleep(20)
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

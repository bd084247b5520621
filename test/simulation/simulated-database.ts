import type { MarketRecord } from '@booktape/market'
import type { BatchWriter, Gathered } from '@booktape/recorder'
import { type RetryClass, StoreError, type WriteResult } from '@booktape/store'
import type { Dice } from './dice.ts'
import { StoredRows } from './stored-rows.ts'
import { type Gate, US_PER_MS, type VirtualTime } from './virtual-time.ts'

export type DatabaseFaults = {
  downUntilUs: number
  slowUntilUs: number
  lostBeforeCommit: number // the next transactions that are rolled back with their connection
  lostAfterCommit: number // the next ones that are committed, and whose reply is lost
  refusals: RetryClass[] // what the next transactions are refused with
  positionAway: number // the next questions for the position that find nobody
}

const USUAL_US = [500, 6_000] as const
const SLOW_US = [300 * US_PER_MS, 8_000 * US_PER_MS] as const

/** The records of a batch as they are. */
export class RecordList extends Array<MarketRecord> {
  add(record: MarketRecord): void {
    this.push(record)
  }

  get bytes(): number {
    return this.length * RECORD_BYTES
  }
}

/** So that a batch is full, and memory, while a world is small. */
const RECORD_BYTES = 5_000

type Batch = Gathered<RecordList>
type Commit = Readonly<{ journalId: string; batch: Batch }>

/** Postgres as the recorder knows it: batches with their position, each whole or not at all, and all its ways to fail. */
export class SimulatedDatabase {
  readonly faults: DatabaseFaults = {
    downUntilUs: 0,
    slowUntilUs: 0,
    lostBeforeCommit: 0,
    lostAfterCommit: 0,
    refusals: [],
    positionAway: 0,
  }
  /** Told of each fault that took effect. */
  onFault: (kind: string) => void = () => undefined
  /** Whether the last batch that did not fit began before the position, and not after it. */
  wasAhead = false
  rows = new StoredRows()
  commits: Commit[] = []
  readonly #time: VirtualTime
  readonly #dice: Dice

  constructor(time: VirtualTime, dice: Dice) {
    this.#time = time
    this.#dice = dice
  }

  position(journalId: string): number {
    return this.commits.findLast((commit) => commit.journalId === journalId)?.batch.toPosition ?? 0
  }

  /** Everything stored, in the order of its commits. */
  records(): MarketRecord[] {
    return this.commits.flatMap(({ batch }) => batch.records)
  }

  /** The database as one process reaches it. What was sent arrives even when the process dies; the answer does not. */
  writerFor(gate: Gate, journalId: string): BatchWriter<RecordList> {
    return {
      readPosition: () =>
        this.#answer(gate, () => {
          const { faults } = this
          if (this.#isDown()) throw away()
          if (faults.positionAway > 0) {
            faults.positionAway--
            this.onFault('position_away')
            throw away()
          }
          return this.position(journalId)
        }),
      gather: () => new RecordList(),
      write: (batch) => this.#answer(gate, () => this.#write(journalId, batch)),
    }
  }

  /** The primary is gone, and the one that takes over lacks the last commits. */
  failOver(lostCommits: number): number {
    const lost = Math.min(lostCommits, this.commits.length)
    this.commits = this.commits.slice(0, this.commits.length - lost)
    this.rows = new StoredRows()
    for (const { batch } of this.commits) this.rows.apply(batch.records)
    return lost
  }

  #write(journalId: string, batch: Batch): WriteResult {
    const { faults } = this
    if (this.#isDown()) return retry('unreachable')
    const refusal = faults.refusals.shift()
    if (refusal !== undefined) {
      this.onFault('transaction_refused')
      return retry(refusal)
    }
    if (faults.lostBeforeCommit > 0) {
      faults.lostBeforeCommit--
      this.onFault('lost_before_commit')
      return retry('connection_lost')
    }
    const position = this.position(journalId)
    if (position === batch.toPosition) return { outcome: 'already' }
    if (position !== batch.fromPosition) {
      this.wasAhead = position > batch.fromPosition
      throw new StoreError('POSITION_MOVED', `position ${position} where ${batch.fromPosition} was expected`)
    }
    this.commits.push({ journalId, batch })
    this.rows.apply(batch.records)
    if (faults.lostAfterCommit > 0) {
      faults.lostAfterCommit--
      this.onFault('lost_after_commit')
      return retry('connection_lost')
    }
    return { outcome: 'committed', rows: NO_COUNTS, conflicts: [], poison: [] }
  }

  #isDown(): boolean {
    return this.#time.nowUs < this.faults.downUntilUs
  }

  #answer<T>(gate: Gate, act: () => T): Promise<T> {
    const isSlow = this.#time.nowUs < this.faults.slowUntilUs
    const [least, most] = isSlow ? SLOW_US : USUAL_US
    return new Promise((resolve, reject) => {
      this.#time.after(this.#dice.between(least, most), null, () => {
        let reply: () => void
        try {
          const value = act()
          reply = () => resolve(value)
        } catch (error) {
          reply = () => reject(error)
        }
        this.#time.after(this.#dice.between(...USUAL_US), gate, reply)
      })
    })
  }
}

const NO_COUNTS = {
  sessions: 0,
  epochs: 0,
  gaps: 0,
  book_messages: 0,
  book_snapshots: 0,
  quotes: 0,
  trades: 0,
  instruments: 0,
  audits: 0,
  quarantine: 0,
}

const retry = (reason: RetryClass): WriteResult => ({ outcome: 'retry', class: reason, reason: `simulated: ${reason}` })

const away = (): StoreError => new StoreError('AWAY', 'simulated: the database is away')

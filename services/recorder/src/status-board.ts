import type { Clock } from '@booktape/runtime'
import type { CorridorEvent, CorridorState, Step } from '@booktape/session'
import { type Database, type GatheredRows, readCoverage } from '@booktape/store'
import { CoverageWatch } from './coverage-watch.ts'
import { Pace } from './pace.ts'
import type { Commit } from './readiness.ts'
import { Recent } from './recent.ts'
import { booksOfRun, msOf, overview } from './status-overview.ts'
import type { StatusLooks } from './status-page.ts'
import { symbolLook } from './status-symbol.ts'
import type { StoringTrouble } from './status-wire.ts'

export type StatusBoardParts = Readonly<{
  identity: Readonly<{ version: string; line: string; venue: string; journalLimitBytes: number }>
  clock: Clock
  /** Its own, so that whoever looks never waits in front of a batch. */
  database: Database
  state: () => Readonly<CorridorState>
  missing: () => readonly string[]
  backlog: () => number
  journalBytes: () => number
  lastCommit: () => Commit | null
  onError: (error: unknown) => void
}>

/**
 * What the status page is told. Told itself of everything at the live edge, of which it keeps a little; what it says is made when
 * somebody looks, and nothing in the corridor waits for that.
 */
export class StatusBoard {
  readonly looks: StatusLooks
  readonly #parts: StatusBoardParts
  readonly #recent = new Recent()
  readonly #pace = new Pace()
  #trouble: StoringTrouble | null = null

  constructor(parts: StatusBoardParts) {
    this.#parts = parts
    const { identity, clock, database, onError } = parts
    const coverage = new CoverageWatch({ read: (asked) => readCoverage(database, asked), clock, onError })
    const startedMs = msOf(clock.wallNs())
    const now = () => ({ wallNs: clock.wallNs(), monoNs: clock.monoNs() })
    this.looks = {
      overview: () => {
        const commit = parts.lastCommit()
        coverage.wanted(booksOfRun(this.#recent.run), this.#recent.gapsMovedNs, commit)
        const standing = {
          ...identity,
          startedMs,
          missing: parts.missing(),
          backlog: parts.backlog(),
          sinceCommitMs: commit === null ? null : msOf(clock.monoNs() - commit.monoNs),
          trouble: this.#trouble,
          journalBytes: parts.journalBytes(),
          pace: this.#pace.look(),
          coverageReading: coverage.look.reading,
        }
        return overview(standing, parts.state(), this.#recent, now())
      },
      coverage: () => coverage.look,
      symbol: (book) => symbolLook(book, parts.state(), this.#recent, now()),
    }
  }

  /** An entry was taken at the live edge. */
  observe(event: CorridorEvent, step: Pick<Step, 'records'>): void {
    this.#recent.observe(event, step)
    if (event.kind !== 'tick') return
    this.#pace.tick(event.at, this.#parts.backlog(), this.#parts.lastCommit()?.recordedUntilNs ?? null)
  }

  /** The database took a batch. */
  committed({ receivedMs }: GatheredRows, nowNs: bigint): void {
    this.#trouble = null
    const oldest = (times: readonly number[]): number =>
      times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
    const oldestMs = Math.min(oldest(receivedMs.v1), oldest(receivedMs.ws))
    if (Number.isFinite(oldestMs)) this.#pace.committed(Math.max(0, msOf(nowNs) - oldestMs))
  }

  /** The database took no rows this time. */
  failed(failure: Readonly<{ class: string; reason: string }>): void {
    const sinceMs = this.#trouble?.sinceMs ?? msOf(this.#parts.clock.wallNs())
    this.#trouble = { class: failure.class, reason: failure.reason, sinceMs }
  }

  /** Ends a reading that is under way. */
  async close(): Promise<void> {
    this.#parts.database.abandon()
    await this.#parts.database.close()
  }
}

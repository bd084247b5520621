import type { Clock } from '@booktape/runtime'
import { type BookName, type Coverage, StoreError } from '@booktape/store'
import { coverageMarks } from './coverage-marks.ts'
import type { Commit } from './readiness.ts'
import type { BookCoverage, CoverageLook } from './status-wire.ts'

/** What is shown: the last 24 hours. */
export const COVERAGE_MS = 24 * 3_600_000
/** Read again at least this often while somebody looks: a strip is a minute old at most. */
export const COVERAGE_AGE_MS = 60_000
/** When a gap began or ended, sooner, but never sooner than so. */
export const COVERAGE_HURRIED_MS = 2_000
/** And so often while the database does not answer. */
export const COVERAGE_RETRY_MS = 5_000
/** Never so often that it takes the database more than a twentieth of its time. */
export const COVERAGE_REST = 20
/** A database that takes longer has other work to do. */
export const COVERAGE_TIMEOUT_MS = 10_000

const NS_PER_MS = 1_000_000n

type Read = (asked: {
  books: readonly BookName[]
  fromMs: number
  toMs: number
  timeoutMs: number
}) => Promise<Coverage>

/** The last day of every book, from the database: read only while somebody looks, one reading at a time, kept until the next. */
export class CoverageWatch {
  readonly #read: Read
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  #look: CoverageLook = { reading: 0, fromMs: 0, toMs: 0, trouble: null, isWhole: true, books: [] }
  #isReading = false
  #begunNs: bigint | null = null // monotonic, of the last reading
  #restedNs = 0n // monotonic: no reading before
  #seenMovedNs: bigint | null = null // the gaps that a reading has seen

  constructor(parts: { read: Read; clock: Clock; onError: (error: unknown) => void }) {
    this.#read = parts.read
    this.#clock = parts.clock
    this.#onError = parts.onError
  }

  /** As it was read last. */
  get look(): CoverageLook {
    return this.#look
  }

  /** Somebody looks. `gapsMovedNs`: when a gap last began or ended, by the wall clock. Never waits. */
  wanted(books: readonly BookName[], gapsMovedNs: bigint | null, commit: Commit | null): void {
    if (this.#isReading || books.length === 0 || this.#clock.monoNs() < this.#restedNs) return
    // A gap can be read as soon as it is stored.
    const isStored = gapsMovedNs !== null && commit !== null && commit.recordedUntilNs >= gapsMovedNs
    const isNew = isStored && gapsMovedNs !== this.#seenMovedNs
    if (!isNew && !this.#isOld(books)) return
    this.#isReading = true
    void this.#readNow(books).then((isDone) => {
      this.#isReading = false
      if (isDone && isStored) this.#seenMovedNs = gapsMovedNs
    })
  }

  #isOld(books: readonly BookName[]): boolean {
    if (this.#begunNs === null || this.#look.books.length !== books.length) return true
    const ageMs = Number((this.#clock.monoNs() - this.#begunNs) / NS_PER_MS)
    return ageMs >= (this.#look.trouble === null ? COVERAGE_AGE_MS : COVERAGE_RETRY_MS)
  }

  /** Whether the database answered. */
  async #readNow(books: readonly BookName[]): Promise<boolean> {
    const begunNs = this.#clock.monoNs()
    this.#begunNs = begunNs
    const toMs = Number(this.#clock.wallNs() / NS_PER_MS)
    const fromMs = toMs - COVERAGE_MS
    try {
      const found = await this.#read({ books, fromMs, toMs, timeoutMs: COVERAGE_TIMEOUT_MS })
      const { isWhole } = found
      const reading = this.#look.reading + 1
      this.#look = { reading, fromMs, toMs, trouble: null, isWhole, books: booksOf(books, found, { fromMs, toMs }) }
      return true
    } catch (error) {
      this.#fail(error, toMs)
      return false
    } finally {
      const restNs = BigInt(COVERAGE_REST) * (this.#clock.monoNs() - begunNs)
      const leastNs = BigInt(COVERAGE_HURRIED_MS) * NS_PER_MS
      this.#restedNs = this.#clock.monoNs() + (restNs > leastNs ? restNs : leastNs)
    }
  }

  /** What was read before stays: it is still true of its time. */
  #fail(error: unknown, nowMs: number): void {
    const isExpected = error instanceof StoreError
    if (!isExpected) this.#onError(error)
    if (this.#look.trouble !== null) return
    const reason = isExpected ? error.message : 'the reading failed; the log says why'
    this.#look = { ...this.#look, reading: this.#look.reading + 1, trouble: { reason, sinceMs: nowMs } }
  }
}

function booksOf(
  books: readonly BookName[],
  { uncovered, missed }: Coverage,
  window: Readonly<{ fromMs: number; toMs: number }>,
): readonly BookCoverage[] {
  const uncoveredOf = Map.groupBy(uncovered, nameOf)
  const missedOf = Map.groupBy(missed, nameOf)
  return books.map((book) => {
    const spans = uncoveredOf.get(nameOf(book)) ?? []
    const lengthOf = (state: 'gap' | 'off'): number =>
      spans.reduce((sum, span) => (span.state === state ? sum + span.toMs - span.fromMs : sum), 0)
    const gapMs = lengthOf('gap')
    const liveMs = window.toMs - window.fromMs - gapMs - lengthOf('off')
    return { ...book, liveMs, gapMs, marks: coverageMarks(spans, missedOf.get(nameOf(book)) ?? [], window) }
  })
}

const nameOf = ({ symbol, feed }: BookName): string => `${feed} ${symbol}`

import { applyChange, bookDigest, bookFromLevels, depth, type OrderBook } from '@booktape/book'
import { type BookUpdate, invariant, type LevelChange } from '@booktape/market'
import { msToNs } from './backoff.ts'
import { continuity } from './continuity.ts'
import type { Instant } from './event.ts'
import type { Step } from './step.ts'
import { isSuspiciouslySmall, type MessagePlace, passEpoch, type Track } from './track.ts'

/**
 * A symbol's book on a new connection, kept beside the one that is recorded on the old connection until the two stand at one
 * update id. Then the old epoch ends and the new one begins with nothing between them: no gap (docs/adr/0006-rotation.md).
 */
export type Staged = {
  readonly track: Track // belongs to the old connection until it is handed over
  readonly sinceNs: bigint // monotonic
  tradesListed: boolean // the venue confirmed that it sends this symbol's trades here, too
  book: StagedBook | null
}

type StagedBook = {
  readonly book: OrderBook
  updateId: bigint
  eventTimeNs: bigint | null
  place: MessagePlace
}

/** Two connections of a busy symbol may never stand at one id: then a few ids are stored on both. */
export const EQUAL_ID_PATIENCE_MS = 20_000
/** v1 names the venue's last event, which need not have been one of this symbol: silence on both proves as much. */
export const QUIET_MS = 6_000

export function newStaged(track: Track, at: Instant, tradesListed: boolean): Staged {
  return { track, sinceNs: at.monoNs, tradesListed, book: null }
}

/** A snapshot, or what follows it; `false` when it does not follow: this book is of no use. */
export function stage(staged: Staged, place: MessagePlace, update: BookUpdate): boolean {
  const { book } = staged
  if (book === null) {
    if (update.firstUpdateId !== update.lastUpdateId || isSuspiciouslySmall(staged.track, update)) return false
    staged.book = {
      book: bookFromLevels(update.changes),
      updateId: update.lastUpdateId,
      eventTimeNs: update.eventTimeNs,
      place,
    }
    return true
  }
  const follows = staged.track.feed === 'v1' ? 'next' : continuity(book.updateId, update) // v1 has its socket_sequence
  if (follows === 'gap') return false
  if (follows === 'stale') return true
  for (const { side, price, quantity } of update.changes) applyChange(book.book, side, price, quantity)
  book.updateId = update.lastUpdateId
  book.eventTimeNs = update.eventTimeNs
  book.place = place
  return true
}

/** `heardNs`: when the old connection was last heard, monotonic. */
export function isReady({ track, sinceNs, tradesListed, book }: Staged, heardNs: bigint, at: Instant): boolean {
  if (book === null || !tradesListed || track.epoch === null || track.lastUpdateId === null) return false
  if (book.updateId === track.lastUpdateId) return true
  if (book.updateId < track.lastUpdateId) return at.monoNs - sinceNs >= msToNs(EQUAL_ID_PATIENCE_MS)
  return (
    track.feed === 'v1' &&
    heardNs - book.place.at.monoNs >= msToNs(QUIET_MS) &&
    bookDigest(book.book) === bookDigest(track.book)
  )
}

/** The track goes on with the staged book, from this instant. */
export function handOver({ track, book }: Staged, at: Instant, step: Step): void {
  invariant(book !== null, 'a book that is handed over is known')
  const { updateId, eventTimeNs, place } = book
  const changes = (['bid', 'ask'] as const).flatMap((side): LevelChange[] => {
    const { prices, quantities } = depth(book.book, side)
    return prices.map((price, i) => ({ side, price, quantity: quantities[i] ?? price, reason: 'initial' }))
  })
  passEpoch(track, { ...place, at }, { firstUpdateId: updateId, lastUpdateId: updateId, eventTimeNs, changes }, step)
}

import { depth } from '@booktape/book'
import { decodeRestBook, type PriceQuantity, REST_AUDIT_LEVELS } from '@booktape/gemini'
import { compareDecimals, type DecimalText, type Side, VenueProtocolError } from '@booktape/market'
import { conclude } from './audit.ts'
import { msToNs } from './backoff.ts'
import type { CorridorEvent, Instant } from './event.ts'
import type { Step } from './step.ts'
import type { Track } from './track.ts'

/**
 * A v1 book without the new API beside it has nothing to be compared with but REST, whose books carry no id and are some moments
 * old. So it is looked at twice: a level that differs in both looks, in the same way on both sides, has not been moving; it is
 * wrong, if the connection is alive: of one that has fallen silent since, the liveness limit is the judge. Loose, and only of the
 * best levels, but it finds a level that stays when it should have gone.
 */
export type RestAudit = {
  dueNs: bigint // monotonic
  askedNs: bigint | null
  /** The book was taken anew because of REST, and REST has not agreed since: of two words of the venue, the newer book's counts. */
  isDoubted: boolean
  /** What differed in the first look, by side and price, when that was, and how many messages had come; null before it. */
  suspects: Readonly<{ monoNs: bigint; heard: number; levels: ReadonlyMap<string, string> }> | null
  /** How many messages of this connection had come at a tick, and the tick before the one that first saw them: the last came later. */
  heard: Readonly<{ count: number; sinceNs: bigint }>
}

export const REST_AUDIT_INTERVAL_MS = 240_000
/** Between the two looks: longer than REST's answers are old. */
export const SECOND_LOOK_MS = 15_000
export const REST_RETRY_MS = 30_000
/**
 * A book is as old as the last message of its connection, and REST's is new: they are compared only where one came this lately, as one does
 * after each heartbeat. After a stall of ours the answer may be read before all that the socket holds.
 */
export const FRESH_MS = 2_000
/** An answer that has not come by then is not waited for. */
export const REST_BOOK_DEADLINE_MS = 180_000

export function newRestAudit(at: Instant, isDoubted: boolean): RestAudit {
  return {
    dueNs: at.monoNs + msToNs(REST_AUDIT_INTERVAL_MS / 8),
    askedNs: null,
    isDoubted,
    suspects: null,
    heard: { count: 0, sinceNs: 0n },
  }
}

/** At each tick. `heard`: the messages of this connection so far. `lastTickNs`: monotonic, of the tick before; null at the first. */
export function askRestWhenDue(track: Track, heard: number, lastTickNs: bigint | null, at: Instant, step: Step): void {
  const { restAudit: audit, epoch, symbol } = track
  if (heard !== audit.heard.count) audit.heard = { count: heard, sinceNs: lastTickNs ?? 0n }
  if (epoch === null || at.monoNs < audit.dueNs || !isFresh(audit, at)) return
  if (audit.askedNs !== null && at.monoNs - audit.askedNs < msToNs(REST_BOOK_DEADLINE_MS)) return
  audit.askedNs = at.monoNs
  step.orders.push({ kind: 'fetch_book', symbol })
}

function isFresh({ heard }: RestAudit, at: Instant): boolean {
  return at.monoNs - heard.sinceNs <= msToNs(FRESH_MS)
}

/** REST's answer: `different` when the book is to be taken anew. `heard`: the messages of this connection so far. */
export function takeRestBook(
  track: Track,
  heard: number,
  event: Extract<CorridorEvent, { kind: 'book_page' }>,
  step: Step,
): 'equal' | 'different' | null {
  const { restAudit: audit, epoch } = track
  const { at } = event
  if (audit.askedNs === null || epoch === null) return null
  audit.askedNs = null
  const book = read(event, step)
  audit.dueNs = at.monoNs + msToNs(book === null ? REST_RETRY_MS : REST_AUDIT_INTERVAL_MS)
  if (book === null) return null
  if (!isFresh(audit, at)) {
    audit.dueNs = at.monoNs + msToNs(REST_RETRY_MS)
    return null
  }
  const bids = differences(track, 'bid', book.bids)
  const asks = differences(track, 'ask', book.asks)
  const levels = new Map([...bids.levels, ...asks.levels])
  const compared = bids.compared + asks.compared
  const first = audit.suspects
  audit.suspects = null
  if (levels.size === 0) return judge(track, compared, 0, at, step)
  const isFirst = first === null || at.monoNs - first.monoNs > msToNs(REST_AUDIT_INTERVAL_MS / 2)
  if (isFirst || first.heard === heard) {
    audit.suspects = { monoNs: at.monoNs, heard, levels }
    audit.dueNs = at.monoNs + msToNs(SECOND_LOOK_MS)
    return null
  }
  const still = [...levels].filter(([level, quantities]) => first.levels.get(level) === quantities)
  return judge(track, compared, still.length, at, step)
}

function judge(
  track: Track,
  compared: number,
  different: number,
  at: Instant,
  step: Step,
): 'equal' | 'different' | null {
  const result = conclude(track, 'rest', compared, different, at, step)
  const wasDoubted = track.restAudit.isDoubted
  track.restAudit.isDoubted = result === 'different'
  return result === 'different' && wasDoubted ? null : result
}

/** Levels that one has and the other has not, or with another quantity: `ours|theirs` by side and price. */
function differences(track: Track, side: Side, theirs: readonly PriceQuantity[]) {
  const ours = depth(track.book, side, REST_AUDIT_LEVELS)
  const mine = new Map(ours.prices.map((price, i): [string, string] => [price, ours.quantities[i] ?? '']))
  const rest = new Map<string, string>(theirs)
  // A list that is cut says nothing of what lies below its last level.
  const ends = [ours.prices, theirs.map(([price]) => price)].flatMap((prices) =>
    prices.length >= REST_AUDIT_LEVELS ? prices.slice(-1) : [],
  )
  const isSeen = (price: DecimalText): boolean =>
    ends.every((end) => (side === 'bid' ? compareDecimals(price, end) >= 0 : compareDecimals(price, end) <= 0))
  const prices = [...new Set([...ours.prices, ...theirs.map(([price]) => price)])].filter(isSeen)
  const levels = prices.flatMap((price): [string, string][] => {
    const a = mine.get(price) ?? ''
    const b = rest.get(price) ?? ''
    return a === b ? [] : [[`${side} ${price}`, `${a}|${b}`]]
  })
  return { compared: prices.length, levels }
}

function read(event: Extract<CorridorEvent, { kind: 'book_page' }>, step: Step) {
  if (event.status !== 200) return null
  try {
    return decodeRestBook(event.body)
  } catch (error) {
    if (!(error instanceof VenueProtocolError)) throw error
    step.observations.push({ kind: 'unreadable_reply', what: 'book', reason: error.message })
    return null
  }
}

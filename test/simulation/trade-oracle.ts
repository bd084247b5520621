import { type Feed, invariant } from '@booktape/market'
import type { Moment } from './replay.ts'
import { US_PER_S } from './virtual-time.ts'
import type { World } from './world.ts'

/** A trade that was under way when its connection ended was made at most this long before the gap begins. */
const UNDER_WAY_US = 3 * US_PER_S
/** The same where frames, or the whole process, may have stood still for half a minute. */
const UNDER_WAY_STALLED_US = 35 * US_PER_S

type Span = { fromUs: number; toUs: number }

/**
 * Every trade that is stored is one the exchange made, as it was made (G5), and every trade that is not lies in a gap on every
 * feed that is recorded (G17). On v1 trades ride in the book's sequence, so there its gaps are those of the book.
 */
export function checkTrades(world: World, moments: readonly Moment[]): void {
  const { exchange, database, run, faults } = world
  const isStalled = (['network_stall', 'loop_stall', 'slow_sync', 'slow_network'] as const).some((kind) =>
    faults.has(kind),
  )
  const marginUs = isStalled ? UNDER_WAY_STALLED_US : UNDER_WAY_US
  for (const symbol of exchange.symbols) {
    const trades = new Map(exchange.truth.trades(symbol).map((trade) => [`${symbol} ${trade.tradeId}`, trade]))
    for (const [key, stored] of database.rows.trades) {
      if (stored.symbol !== symbol) continue
      const made = trades.get(key)
      if (made === undefined) world.violate(`G5: the trade ${key} is stored, and nobody made it`)
      else if (
        made.price !== stored.price ||
        made.quantity !== stored.quantity ||
        made.takerSide !== stored.takerSide
      ) {
        world.violate(`G5: the trade ${key} is stored with another price, quantity or taker side than it had`)
      }
    }
    if (world.robbed.size > 0) continue // the gaps of what is stored are not those of one replay
    const lastReadUs = (moments.findLast(({ tradesRead }) => tradesRead === symbol)?.us ?? 0) - marginUs
    const spans = run.feeds.map((feed) => unrecorded(feed, symbol, moments))
    for (const [key, trade] of trades) {
      if (database.rows.trades.has(key)) continue
      const madeUs = toUs(trade.eventTimeNs, world)
      const undisclosed = run.feeds.filter((feed, i) => {
        const isInGap = spans[i]?.some((span) => madeUs >= span.fromUs - marginUs && madeUs <= span.toUs + US_PER_S)
        return isInGap === false && !(feed === 'ws' && isLeftOut(world, symbol, madeUs, lastReadUs))
      })
      if (undisclosed.length > 0) {
        world.violate(
          `G17: the trade ${key}, made at ${(madeUs / US_PER_S).toFixed(3)} s, is neither stored nor in a gap of ${undisclosed.join(', ')}`,
        )
        return
      }
    }
  }
}

/**
 * A trade that the venue leaves out while its stream is well cannot be known to be missing, until REST is read again: by the
 * clock, or for another reason.
 */
function isLeftOut(world: World, symbol: string, madeUs: number, lastReadUs: number): boolean {
  return (
    madeUs > lastReadUs &&
    world.mutes.some((mute) => mute.symbol === symbol && madeUs >= mute.fromUs && madeUs <= mute.toUs)
  )
}

/** When nobody listened, by what is stored: before the first epoch, in each gap, after the end. */
function unrecorded(feed: Feed, symbol: string, moments: readonly Moment[]): readonly Span[] {
  const stream = feed === 'v1' ? 'book' : 'trades'
  const usByWall = new Map(moments.map(({ wallNs, us }) => [wallNs, us]))
  const before: Span = { fromUs: Number.NEGATIVE_INFINITY, toUs: Number.POSITIVE_INFINITY }
  const spans = [before]
  const open = new Map<string, Span>()
  for (const { us, records } of moments) {
    for (const record of records) {
      if (record.kind === 'epoch_started' && record.feed === feed && record.symbol === symbol) {
        before.toUs = Math.min(before.toUs, us)
      }
      if (
        record.kind === 'gap_opened' &&
        record.feed === feed &&
        record.symbol === symbol &&
        record.stream === stream
      ) {
        const fromUs = usByWall.get(record.receivedTimeNs)
        invariant(fromUs !== undefined, 'a gap begins at the time of an entry')
        const span = { fromUs, toUs: Number.POSITIVE_INFINITY }
        open.set(record.gapId, span)
        spans.push(span)
      }
      if (record.kind === 'gap_settled' && record.state === 'filled') {
        const span = open.get(record.gapId)
        if (span !== undefined) spans.splice(spans.indexOf(span), 1) // REST had what was missing: nothing is excused
      }
      if (record.kind === 'gap_closed' || record.kind === 'gap_withdrawn') {
        const span = open.get(record.gapId)
        if (span === undefined) continue
        span.toUs = us
        if (record.kind === 'gap_withdrawn') span.fromUs = us
      }
    }
  }
  return spans
}

const toUs = (wallNs: bigint, world: World): number => Number((wallNs - world.time.wallNs + world.time.monoNs) / 1000n)

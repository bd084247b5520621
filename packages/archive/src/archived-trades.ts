import type { TapeTrade } from '@booktape/client'
import type { DecimalText, TradeRecord } from '@booktape/market'
import type { ArchiveReading } from './archive-reading.ts'
import { toMicrosecond } from './instants.ts'
import { dateOf, NS_PER_DAY, spanOf } from './layout.ts'
import type { Row } from './tables.ts'

/** Files are by the venue's time; ours is no further from it than books allow our clock to step (`booktape.clock_step`). */
const CLOCKS_APART_NS = NS_PER_DAY

/** The trades of a symbol in [fromNs, toNs), in the order in which packages/client gives them. */
export async function* archivedTrades(
  reading: ArchiveReading,
  {
    symbol,
    fromNs,
    toNs,
    byEventTime,
  }: Readonly<{ symbol: string; fromNs: bigint; toNs: bigint; byEventTime: boolean }>,
): AsyncGenerator<readonly TapeTrade[]> {
  const instantOf = (trade: TapeTrade): bigint =>
    byEventTime || trade.source === 'rest' ? trade.eventTimeNs : trade.receivedTimeNs
  const apart = byEventTime ? 0n : CLOCKS_APART_NS
  let waiting: TapeTrade[] = []
  const untilNs = toNs + apart
  for (let dayNs = spanOf(dateOf(fromNs - apart)).fromNs; dayNs < untilNs; dayNs += NS_PER_DAY) {
    const manifest = await reading.manifest({ kind: 'trades', symbol, date: dateOf(dayNs) })
    if (manifest !== null) {
      for await (const page of reading.rows(manifest, 'trades')) {
        for (const row of page) {
          const trade = tradeOf(row, symbol)
          const instant = toMicrosecond(instantOf(trade))
          if (instant >= fromNs && instant < toNs) waiting.push(trade)
        }
      }
    }
    // What later days hold cannot come before this.
    const isSure = (trade: TapeTrade): boolean => instantOf(trade) < dayNs + NS_PER_DAY - apart
    const sure = waiting.filter(isSure)
    waiting = waiting.filter((trade) => !isSure(trade))
    if (sure.length > 0) yield sure.sort(inOrder)
  }
  if (waiting.length > 0) yield waiting.sort(inOrder)

  function inOrder(a: TapeTrade, b: TapeTrade): number {
    const difference = instantOf(a) - instantOf(b) || a.tradeId - b.tradeId
    return difference < 0n ? -1 : difference > 0n ? 1 : 0
  }
}

/** As `COLUMNS.trades` orders them. */
type TradeRow = readonly [
  tradeId: bigint,
  eventTimeNs: bigint,
  receivedTimeNs: bigint,
  price: DecimalText,
  quantity: DecimalText,
  takerSide: TradeRecord['takerSide'],
  source: TradeRecord['source'],
  line: string,
  broken: boolean,
]

function tradeOf(row: Row, symbol: string): TapeTrade {
  const [tradeId, eventTimeNs, receivedTimeNs, price, quantity, takerSide, source, line, broken] =
    row as readonly unknown[] as TradeRow
  return {
    kind: 'trade',
    symbol,
    tradeId,
    eventTimeNs,
    receivedTimeNs,
    price,
    quantity,
    takerSide,
    source,
    broken,
    line,
  }
}

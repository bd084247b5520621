import { deriveId } from '@booktape/market'
import { at, ns, type TestEpoch, type TestRecording } from './recording.fixture.ts'

/** A quote as `bid x quantity / ask x quantity`, a side left empty by `-`; `event` is the venue's time where it is not ours. */
export async function storeQuote(
  recording: TestRecording,
  epoch: TestEpoch,
  time: string,
  seq: number,
  text: string,
  event: string | null = time,
): Promise<void> {
  const [bid = '-', ask = '-'] = text.split(' / ')
  const side = (level: string): readonly [string | null, string | null] => {
    const [price = '', quantity = ''] = level.split(' x ')
    return level === '-' ? [null, null] : [price, quantity]
  }
  await recording.insert('quotes', {
    received_time: at(time),
    received_time_ns: ns(time),
    event_time_ns: event === null ? null : ns(event),
    update_id: seq,
    message_seq: seq,
    session_id: deriveId('session of', epoch.id),
    epoch_id: epoch.id,
    symbol: epoch.symbol,
    feed: epoch.feed,
    line: epoch.line,
    bid_price: side(bid)[0],
    bid_quantity: side(bid)[1],
    ask_price: side(ask)[0],
    ask_quantity: side(ask)[1],
  })
}

export async function storeTrade(
  recording: TestRecording,
  trade: Readonly<{ id: number; time: string; price: string; taker: string; symbol?: string; broken?: boolean }>,
): Promise<void> {
  await recording.insert('trades', {
    symbol: trade.symbol ?? 'btcusd',
    trade_id: trade.id,
    event_time: at(trade.time),
    event_time_ns: ns(trade.time),
    // Told by REST an hour later: when it came says nothing of when it was.
    received_time: at(`11${trade.time.slice(2)}`),
    received_time_ns: ns(`11${trade.time.slice(2)}`),
    price: trade.price,
    quantity: '1',
    taker_side: trade.taker,
    source: 'rest',
    line: 'a',
    broken: trade.broken ?? false,
  })
}

import type { DecimalText, LevelChange, Side } from '@booktape/market'
import { isHeldByDouble, nearestDouble } from './double.ts'
import type { Encoder, EncoderParts, Format } from './encoder.ts'
import { EventOrder, type OrderedRow } from './event-order.ts'
import type { Step } from './playback.ts'
import { LevelFilter } from './sidecar.ts'

/**
 * hftbacktest's own events, so that its converter of Tardis files, which cuts snapshots, is not needed. 64 bytes a row, little-endian:
 * `ev u8, exch_ts i8, local_ts i8, px f8, qty f8, order_id u8, ival i8, fval f8`, times in nanoseconds.
 */
export const hftbacktest: Format = {
  name: 'hftbacktest',
  data: { events },
  streamed: [],
  levels: null,
  limits: [
    'prices and quantities are doubles: of those that a double does not tell exactly, quantities are rounded and prices left out, each with a row in the sidecar',
    'local_ts must be later than exch_ts: where the venue’s time is not before ours, exch_ts is lowered to 1 ns before local_ts (exchange_times_lowered, worst_lowering_ns); --shift adds to all local_ts',
    'exch_ts must not go back: changes keep the order of their messages, trades that of their arrival, and one that is too early is raised to the one before it (exchange_times_raised)',
    'a gap is a row that clears both sides; ids of messages and updates are not there',
  ],
}

export const EVENT_BYTES = 64

const KIND = { depth: 1n, trade: 2n, clear: 3n, snapshot: 4n } as const
const BUY = 1n << 29n
const SELL = 1n << 28n

function events(parts: EncoderParts): Encoder {
  const { part, sidecar } = parts
  const { shiftNs } = parts.options
  const sink = parts.open(`${part.symbol}_${part.day.replaceAll('-', '')}.npz`, 'npz')
  const filter = new LevelFilter(sidecar, (price) => isHeldByDouble(price))
  const order = new EventOrder((row, flags) => sink.write(bytesOf(row, flags), 1))

  function add(
    step: Step,
    kind: bigint,
    side: Side | null,
    price: DecimalText | null,
    quantity: DecimalText | null,
  ): void {
    order.add({
      stream: kind === KIND.trade ? 'trades' : 'depth',
      ev: kind | (side === null ? 0n : side === 'bid' ? BUY : SELL),
      exchangeNs: step.event.kind === 'gap' ? null : step.event.eventTimeNs,
      localNs: step.receivedNs + shiftNs,
      px: price === null ? 0 : nearestDouble(price),
      qty: quantity === null ? 0 : nearestDouble(quantity),
    })
  }

  function level(step: Step, kind: bigint, change: Pick<LevelChange, 'side' | 'price' | 'quantity'>): void {
    const { side, price, quantity } = change
    const passed = filter.pass(step, change)
    if (passed === 'nothing') return
    if (passed === 'set' && !isHeldByDouble(quantity)) sidecar.level(step, change, 'rounded')
    add(step, kind, side, price, passed === 'remove' ? null : quantity)
  }

  return {
    take: (step) => {
      const { event } = step
      switch (event.kind) {
        case 'book':
          filter.clear(step)
          // Of no side: clears both, whole. A clear of one side goes from the best price to a given one tick by tick, and Gemini has asks
          // at 1e10: such a loop would not end.
          add(step, KIND.clear, null, null, null)
          for (const bid of event.bids) level(step, KIND.snapshot, { side: 'bid', ...bid })
          for (const ask of event.asks) level(step, KIND.snapshot, { side: 'ask', ...ask })
          return
        case 'book_message':
          for (const change of event.changes) level(step, KIND.depth, change)
          return
        case 'gap':
          filter.clear(step)
          return add(step, KIND.clear, null, null, null)
        case 'trade': {
          if (event.broken) return sidecar.trade(step, event, 'broken')
          if (!isHeldByDouble(event.price)) return sidecar.trade(step, event, 'left_out')
          if (!isHeldByDouble(event.quantity)) sidecar.trade(step, event, 'rounded')
          const taker = event.takerSide === 'buy' ? 'bid' : event.takerSide === 'sell' ? 'ask' : null
          if (taker === null && event.takerSide !== 'unknown') sidecar.trade(step, event, 'side_unknown')
          add(step, KIND.trade, taker, event.price, event.quantity)
        }
      }
    },
    end: () => {
      order.end()
      const { lowered, worstLoweringNs, raised, split } = order.moved
      return {
        shift_ns: `${shiftNs}`,
        exchange_times_lowered: lowered,
        worst_lowering_ns: `${worstLoweringNs}`,
        exchange_times_raised: raised,
        rows_split: split,
      }
    },
  }
}

function bytesOf({ ev, exchangeNs, localNs, px, qty }: OrderedRow, flags: bigint): Uint8Array {
  const bytes = new Uint8Array(EVENT_BYTES)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, ev | flags, true)
  view.setBigInt64(8, exchangeNs, true)
  view.setBigInt64(16, localNs, true)
  view.setFloat64(24, px, true)
  view.setFloat64(32, qty, true)
  return bytes // order_id, ival and fval are 0
}

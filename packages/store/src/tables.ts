import type { Generated } from 'kysely'

/**
 * What typed queries see. `market` is the public face (docs/data.md); of `booktape`, only what this package asks.
 * Types are as `database.ts` reads them: `int8` is bigint, `numeric` and every time are texts.
 */
export type Tables = {
  'booktape.venue': { only_row: Generated<boolean>; name: string; checksum: bigint }
  'booktape.journals': {
    journal_id: string
    line: string
    shard: number
    written_position: Generated<bigint>
    recorded_until: string | null
  }
  'market.instruments': {
    symbol: string
    base_currency: string
    quote_currency: string
    price_increment: string
    quantity_increment: string
    min_order_size: string
    status: string
    product_type: string
    contract_type: string
    valid_from: string
    valid_to: string | null
  }
  'market.sessions': {
    session_id: string
    line: string
    feed: string
    url: string
    opened_at: string
    closed_at: string | null
    close_code: number | null
    close_reason: string | null
  }
  'market.epochs': {
    epoch_id: string
    session_id: string
    line: string
    symbol: string
    feed: string
    started_at: string
    ended_at: string | null
    first_update_id: bigint
    last_update_id: bigint | null
    end_reason: string | null
  }
  'market.gaps': {
    gap_id: string
    line: string
    symbol: string
    feed: string
    stream: string
    from_id: bigint | null
    to_id: bigint | null
    started_at: string
    ended_at: string | null
    cause: string
    state: string
  }
  'market.book_changes': Received & {
    line: string
    epoch_id: string
    message_seq: bigint
    change_index: number
    update_id: bigint
    side: string
    price: string
    quantity: string
    reason: string | null
    is_snapshot: boolean
  }
  'market.book_snapshots': {
    symbol: string
    feed: string
    line: string
    epoch_id: string
    update_id: bigint
    taken_at: string
    reason: string
    bid_prices: string[]
    bid_quantities: string[]
    ask_prices: string[]
    ask_quantities: string[]
    digest: Buffer
  }
  'market.quotes': Received & {
    line: string
    epoch_id: string | null
    update_id: bigint
    bid_price: string | null
    bid_quantity: string | null
    ask_price: string | null
    ask_quantity: string | null
  }
  'market.trades': {
    symbol: string
    trade_id: bigint
    event_time: string
    event_time_ns: bigint
    received_time: string
    received_time_ns: bigint
    price: string
    quantity: string
    taker_side: string
    source: string
    line: string
    broken: boolean
  }
  'market.audits': {
    symbol: string
    feed: string
    line: string
    audited_at: string
    method: string
    update_id: bigint
    levels_compared: bigint
    levels_different: bigint
    result: string
  }
  'market.quarantine': {
    line: string
    feed: string
    symbol: string | null
    received_time: string
    reason: string
    payload: Buffer
  }
}

type Received = {
  symbol: string
  feed: string
  event_time: string | null
  event_time_ns: bigint | null
  received_time: string
  received_time_ns: bigint
}

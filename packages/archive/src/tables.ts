/** A column as SQL sees it. `decimal` stands for two: the number, and beside it `<name>_text` for what is finer than 10 digits. */
export type Column = Readonly<{
  name: string
  type: 'int64' | 'int32' | 'text' | 'boolean' | 'decimal'
  nullable?: true
  /**
   * The default (a dictionary) suits what comes again; `delta` what grows, `plain` what does neither. `steps` grows from message to
   * message and stands still within one: packed differences where a message is one change (v1), plain where it is several (ws).
   */
  encoding?: 'delta' | 'plain' | 'steps'
}>

export const TABLES = ['book_changes', 'book_snapshots', 'quotes', 'trades', 'epochs', 'gaps', 'instruments'] as const
export type TableName = (typeof TABLES)[number]

/** Columns in their order. `feed`, `symbol` and `date` are in the path (`layout.ts`) and not in the file, unless named here. */
export const COLUMNS: Readonly<Record<TableName, readonly Column[]>> = {
  book_changes: [
    { name: 'line', type: 'text' },
    { name: 'epoch_id', type: 'text' },
    { name: 'message_seq', type: 'int64', encoding: 'delta' },
    { name: 'change_index', type: 'int32' },
    { name: 'first_update_id', type: 'int64', nullable: true, encoding: 'delta' },
    { name: 'update_id', type: 'int64', encoding: 'delta' },
    { name: 'event_time_ns', type: 'int64', nullable: true, encoding: 'steps' },
    { name: 'received_time_ns', type: 'int64', encoding: 'steps' },
    { name: 'side', type: 'text', nullable: true },
    { name: 'price', type: 'decimal', nullable: true },
    { name: 'quantity', type: 'decimal', nullable: true, encoding: 'plain' },
    { name: 'reason', type: 'text', nullable: true },
    { name: 'is_snapshot', type: 'boolean' },
  ],
  book_snapshots: [
    { name: 'line', type: 'text' },
    { name: 'epoch_id', type: 'text' },
    { name: 'message_seq', type: 'int64', encoding: 'delta' },
    { name: 'update_id', type: 'int64', encoding: 'delta' },
    { name: 'event_time_ns', type: 'int64', nullable: true, encoding: 'delta' },
    { name: 'received_time_ns', type: 'int64', encoding: 'delta' },
    { name: 'digest', type: 'text' },
    { name: 'side', type: 'text', nullable: true },
    { name: 'level', type: 'int32', encoding: 'delta' },
    { name: 'price', type: 'decimal', nullable: true, encoding: 'plain' },
    { name: 'quantity', type: 'decimal', nullable: true, encoding: 'plain' },
  ],
  quotes: [
    { name: 'line', type: 'text' },
    { name: 'epoch_id', type: 'text', nullable: true },
    { name: 'session_id', type: 'text' },
    { name: 'message_seq', type: 'int64', encoding: 'delta' },
    { name: 'update_id', type: 'int64', encoding: 'delta' },
    { name: 'event_time_ns', type: 'int64', nullable: true, encoding: 'delta' },
    { name: 'received_time_ns', type: 'int64', encoding: 'delta' },
    { name: 'bid_price', type: 'decimal', nullable: true },
    { name: 'bid_quantity', type: 'decimal', nullable: true },
    { name: 'ask_price', type: 'decimal', nullable: true },
    { name: 'ask_quantity', type: 'decimal', nullable: true },
  ],
  trades: [
    { name: 'trade_id', type: 'int64', encoding: 'delta' },
    { name: 'event_time_ns', type: 'int64', encoding: 'delta' },
    { name: 'received_time_ns', type: 'int64', encoding: 'delta' },
    { name: 'price', type: 'decimal' },
    { name: 'quantity', type: 'decimal' },
    { name: 'taker_side', type: 'text' },
    { name: 'source', type: 'text' },
    { name: 'line', type: 'text' },
    { name: 'broken', type: 'boolean' },
  ],
  epochs: [
    { name: 'symbol', type: 'text' },
    { name: 'feed', type: 'text' },
    { name: 'line', type: 'text' },
    { name: 'epoch_id', type: 'text' },
    { name: 'session_id', type: 'text' },
    { name: 'started_at_ns', type: 'int64' },
    { name: 'ended_at_ns', type: 'int64', nullable: true },
    { name: 'first_update_id', type: 'int64' },
    { name: 'last_update_id', type: 'int64', nullable: true },
    { name: 'end_reason', type: 'text', nullable: true },
  ],
  gaps: [
    { name: 'symbol', type: 'text' },
    { name: 'feed', type: 'text' },
    { name: 'line', type: 'text' },
    { name: 'gap_id', type: 'text' },
    { name: 'stream', type: 'text' },
    { name: 'from_id', type: 'int64', nullable: true },
    { name: 'to_id', type: 'int64', nullable: true },
    { name: 'started_at_ns', type: 'int64' },
    { name: 'ended_at_ns', type: 'int64', nullable: true },
    { name: 'cause', type: 'text' },
    { name: 'state', type: 'text' },
  ],
  instruments: [
    { name: 'symbol', type: 'text' },
    { name: 'base_currency', type: 'text' },
    { name: 'quote_currency', type: 'text' },
    { name: 'price_increment', type: 'decimal' },
    { name: 'quantity_increment', type: 'decimal' },
    { name: 'min_order_size', type: 'decimal' },
    { name: 'status', type: 'text' },
    { name: 'product_type', type: 'text' },
    { name: 'contract_type', type: 'text' },
    { name: 'valid_from_ns', type: 'int64' },
    { name: 'valid_to_ns', type: 'int64', nullable: true },
  ],
}

/** Values in the order of a table's columns: bigint for `int64`, number for `int32`, text for `text` and `decimal`. */
export type Cell = bigint | number | string | boolean | null
export type Row = readonly Cell[]

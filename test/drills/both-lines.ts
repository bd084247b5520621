import type { World } from '../chaos/world.ts'

/** What the lines of a recording have together, held against all that the exchange sent. */
export type Together = Readonly<{ changes: number; updates: number; spans: number; faults: readonly string[] }>

/**
 * Every change of v1 and every update of the new API, from each book's first snapshot on any line to the last message on any line, is
 * stored by one line at least, and `market.coverage` shows no instant without a line from `from` to `to`.
 */
export async function findMissing(world: World, from: string, to: string): Promise<Together> {
  const faults: string[] = []
  let changes = 0
  let updates = 0
  let spans = 0
  for (const symbol of world.symbols) {
    const v1 = await missingChanges(world, symbol)
    const ws = await missingUpdates(world, symbol)
    changes += v1.compared
    updates += ws.compared
    faults.push(...v1.faults, ...ws.faults)
    for (const feed of ['v1', 'ws', null]) {
      const rows = await world.postgres.query<Span>(
        'select state, from_time::text as from, to_time::text as to from market.coverage($1, $2, $3, $4)',
        [symbol, feed, from, to],
      )
      spans += rows.length
      if (rows.length === 0) faults.push(`${symbol} on ${feed ?? 'either feed'}: no coverage at all`)
      for (const span of rows.filter(({ state }) => state !== 'live')) {
        const story = await world.postgres.query<{ epoch: string }>(EPOCHS_AROUND, [symbol, feed, span.from, span.to])
        const epochs = story.map(({ epoch }) => epoch).join('\n  ')
        faults.push(`${symbol} on ${feed ?? 'either feed'}: ${span.state} from ${span.from} to ${span.to}\n  ${epochs}`)
      }
    }
  }
  return { changes, updates, spans, faults }
}

type Span = Readonly<{ state: string; from: string; to: string }>

const EPOCHS_AROUND = `select e.feed || ' line ' || e.line || ' shard ' || j.shard || ': epoch ' || e.started_at || ' to ' || coalesce(e.ended_at::text, 'now') ||
    ' (' || coalesce(e.end_reason, '') || ')' as epoch
  from booktape.epochs e join booktape.journals j using (journal_id)
  where e.symbol = $1 and ($2::text is null or e.feed = $2)
    and e.started_at < $4::timestamptz + interval '20 s' and coalesce(e.ended_at, 'infinity') > $3::timestamptz - interval '20 s'
  order by e.started_at`

/** v1 tells each change by itself: all of them, by id and content. */
async function missingChanges(world: World, symbol: string): Promise<{ compared: number; faults: string[] }> {
  const [known] = await world.postgres.query<{ first: string; last: string }>(
    `select min(first_update_id)::text as first, max(last_update_id)::text as last
     from market.epochs where symbol = $1 and feed = 'v1'`,
    [symbol],
  )
  const stored = await world.postgres.query<{ line: string }>(
    `select distinct update_id || ' ' || side || ' ' || price || ' ' || quantity as line
     from market.book_changes where symbol = $1 and feed = 'v1' and not is_snapshot`,
    [symbol],
  )
  const rows = new Set(stored.map(({ line }) => line))
  const made = world.exchange.exchange.truth.changes(symbol, BigInt(known?.first ?? 0), BigInt(known?.last ?? 0))
  const missing = made
    .map(({ updateId, side, price, quantity }) => `${updateId} ${side} ${price} ${quantity}`)
    .filter((line) => !rows.has(line))
  const faults = missing.slice(0, 3).map((line) => `v1 ${symbol}: no line has ${line} (${missing.length} missing)`)
  return { compared: made.length, faults }
}

/** The new API tells ranges of ids: together they leave no hole. */
async function missingUpdates(world: World, symbol: string): Promise<{ compared: number; faults: string[] }> {
  const rows = await world.postgres.query<{ first: string; last: string }>(
    `select distinct first_update_id::text as first, update_id::text as last, first_update_id
     from booktape.book_messages where symbol = $1 and feed = 'ws' order by first_update_id`,
    [symbol],
  )
  const faults: string[] = []
  let reached: bigint | null = null
  for (const { first, last } of rows) {
    if (reached !== null && BigInt(first) > reached) faults.push(`ws ${symbol}: no line has (${reached}, ${first}]`)
    if (reached === null || BigInt(last) > reached) reached = BigInt(last)
  }
  return { compared: rows.length, faults }
}

/**
 * `market.changes_between` of each symbol and feed, applied in its order: ids never go back but where a snapshot replaces the book, and
 * the book in the end is the true one.
 */
export async function findStreamFaults(
  world: World,
  from: string,
  to: string,
): Promise<{ changes: number; faults: readonly string[] }> {
  const faults: string[] = []
  let changes = 0
  for (const symbol of world.symbols) {
    for (const feed of ['v1', 'ws']) {
      const rows = await world.postgres.query<StreamRow>(
        `select line, update_id::text as id, is_snapshot as whole, change_index = 0 as first, side,
                trim_scale(price)::text as price, trim_scale(quantity)::text as quantity
         from market.changes_between($1, $2, $3, $4)`,
        [symbol, from, to, feed],
      )
      changes += rows.length
      faults.push(...streamFaults(world, `${feed} ${symbol}`, symbol, rows))
    }
  }
  return { changes, faults }
}

type StreamRow = {
  line: string
  id: string
  whole: boolean
  first: boolean
  side: 'bid' | 'ask'
  price: string
  quantity: string
}

function streamFaults(world: World, name: string, symbol: string, rows: readonly StreamRow[]): string[] {
  const book = { bid: new Map<string, string>(), ask: new Map<string, string>() }
  let reached = 0n
  for (const { line, id, whole, first, side, price, quantity } of rows) {
    if (whole && first) for (const levels of Object.values(book)) levels.clear()
    else if (BigInt(id) < reached)
      return [`${name}: line ${line} goes back from ${reached} to ${id} without a snapshot`]
    reached = BigInt(id)
    if (quantity === '0') book[side].delete(price)
    else book[side].set(price, quantity)
  }
  const { bids, asks } = world.exchange.exchange.truth.bookAfter(symbol, reached)
  const shown = (levels: Iterable<readonly [string, string]>): string => [...levels].map(String).sort().join(' ')
  const isTrue = shown(bids) === shown(book.bid) && shown(asks) === shown(book.ask)
  return isTrue ? [] : [`${name}: the stream's book after ${reached} is not the exchange's`]
}

/** The database's own clock, as text that it reads back. */
export async function databaseTime(world: World): Promise<string> {
  const [row] = await world.postgres.query<{ now: string }>('select clock_timestamp()::text as now')
  return row?.now ?? ''
}

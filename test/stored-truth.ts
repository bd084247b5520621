import assert from 'node:assert/strict'
import type { Exchange } from '@booktape/exchange'
import type { Client } from 'pg'

/**
 * Holds what is stored of an ended run against the truth of the simulated exchange: of each epoch every level change of the
 * old feed and no other, an unbroken chain of ids on the new one, the last book of both, and every trade in between once.
 * Gives the number of changes compared.
 */
export async function assertStoredTruth(client: Client, { truth }: Exchange): Promise<number> {
  const { rows: epochs } = await client.query<Epoch>(
    `select e.epoch_id::text as id, symbol, feed, first_update_id::text as first, last_update_id::text as last,
            (select received_time_ns::text from booktape.book_snapshots s
             where s.epoch_id = e.epoch_id and s.reason = 'initial') as from_ns,
            (select max(received_time_ns)::text from booktape.book_messages m where m.epoch_id = e.epoch_id) as to_ns
     from market.epochs e order by started_at`,
  )
  assert.notDeepEqual(epochs, [])
  let compared = 0
  for (const epoch of epochs) {
    const { id, symbol, feed, first, last } = epoch
    const name = `${feed} ${symbol} from ${first} to ${last}`
    if (feed === 'v1') {
      const stored = await lines(
        client,
        `select update_id || ' ' || side || ' ' || price || ' ' || quantity as line
         from market.book_changes where epoch_id = $1 and not is_snapshot`,
        [id],
      )
      const changes = truth.changes(symbol, BigInt(first), BigInt(last))
      const expected = changes.map((change) => `${change.updateId} ${change.side} ${change.price} ${change.quantity}`)
      assert.deepEqual(stored.sort(), expected.sort(), name)
      compared += stored.length
    } else {
      const broken = await lines(
        client,
        `select first_update_id || ' after ' || before as line
         from (select first_update_id, lag(update_id, 1, $2) over (order by message_seq) as before
               from booktape.book_messages where epoch_id = $1) chain
         where first_update_id > before`,
        [id, first],
      )
      assert.deepEqual(broken, [], name)
    }
    const book = truth.bookAfter(symbol, BigInt(last))
    assert.deepEqual(
      await lines(
        client,
        `select side || ' ' || price || ' ' || quantity as line
         from market.book_at_update($1, $2, $3) order by side = 'ask', level`,
        [symbol, id, last],
      ),
      [...book.bids.map(([p, q]) => `bid ${p} ${q}`), ...book.asks.map(([p, q]) => `ask ${p} ${q}`)],
      name,
    )
    await assertTrades(client, truth, epoch)
  }
  return compared
}

type Epoch = {
  id: string
  symbol: string
  feed: string
  first: string
  last: string
  from_ns: string
  to_ns: string | null
}

/** A trade this close to an epoch's beginning or end may belong to neither. */
const EDGE_NS = 250_000_000n

async function assertTrades(
  client: Client,
  truth: Exchange['truth'],
  { symbol, from_ns, to_ns }: Epoch,
): Promise<void> {
  if (to_ns === null) return // ended with its snapshot
  const stored = await lines(
    client,
    `select trade_id || ' ' || price || ' ' || quantity || ' ' || taker_side as line
     from market.trades where symbol = $1`,
    [symbol],
  )
  const rows = new Set(stored)
  assert.equal(rows.size, stored.length, `${symbol}: one row a trade`)
  const between = truth
    .trades(symbol)
    .filter(({ eventTimeNs }) => eventTimeNs > BigInt(from_ns) + EDGE_NS && eventTimeNs < BigInt(to_ns) - EDGE_NS)
  const missing = between
    .map((trade) => `${trade.tradeId} ${trade.price} ${trade.quantity} ${trade.takerSide}`)
    .filter((line) => !rows.has(line))
  assert.deepEqual(missing, [], `trades of ${symbol}`)
}

async function lines(client: Client, query: string, values: readonly unknown[]): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>(query, [...values])
  return rows.map(({ line }) => line)
}

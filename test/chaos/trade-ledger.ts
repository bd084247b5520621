import type { World } from './world.ts'

/** A trade this close to the first book or to the last stop may not have been recorded. */
const EDGE_NS = 1_000_000_000n

/**
 * Every trade made from the first live books on until the end is one row and has the true content, those made while recorders
 * were down too, since REST was read again; and no row tells of a trade that was never made.
 */
export async function findTradeFaults(world: World, untilNs: bigint): Promise<{ compared: number; faults: string[] }> {
  const sinceNs = world.firstLiveNs ?? untilNs
  const faults: string[] = []
  let compared = 0
  for (const symbol of world.symbols) {
    const rows = await world.postgres.query<{ id: string; content: string }>(
      `select trade_id::text as id, event_time_ns || ' ' || price || ' ' || quantity || ' ' || taker_side as content
       from market.trades where symbol = $1`,
      [symbol],
    )
    const stored = new Map(rows.map(({ id, content }) => [id, content]))
    if (stored.size !== rows.length) faults.push(`${symbol}: ${rows.length} rows tell of ${stored.size} trades`)
    for (const { tradeId, eventTimeNs, price, quantity, takerSide } of world.exchange.exchange.truth.trades(symbol)) {
      const id = String(tradeId)
      const row = stored.get(id)
      stored.delete(id)
      const isDue = eventTimeNs > sinceNs + EDGE_NS && eventTimeNs < untilNs - EDGE_NS
      if (row === undefined && !isDue) continue
      compared++
      const [, time = '', content = row] = /^(\d+) (.*)$/.exec(row ?? '') ?? []
      const expected = `${price} ${quantity} ${takerSide}`
      if (content !== expected) faults.push(`trade ${id} of ${symbol} (${expected}) is stored as ${row ?? 'nothing'}`)
      else if (!isSameInstant(BigInt(time), eventTimeNs))
        faults.push(`trade ${id} of ${symbol} happened at ${eventTimeNs}, not at ${time}`)
    }
    for (const [id, content] of stored) faults.push(`trade ${id} of ${symbol} (${content}) was never made`)
  }
  return { compared, faults }
}

/** v1 and REST tell milliseconds, the new API nanoseconds: whoever came first is kept. */
function isSameInstant(storedNs: bigint, trueNs: bigint): boolean {
  return storedNs / 1_000_000n === trueNs / 1_000_000n
}

import type { World } from './world.ts'

type Sample = { symbol: string; feed: string; epoch: string; update: string }

/**
 * `samples` stored updates out of all, spread evenly: the book after each, as a user asks for it, is the true one. In the middle
 * of epochs, where stored-truth.ts compares their ends.
 */
export async function findBookFaults(
  { postgres, exchange }: World,
  samples: number,
): Promise<{ compared: number; faults: string[] }> {
  const chosen = await postgres.query<Sample>(
    `select symbol, feed, epoch_id::text as epoch, update_id::text as update
     from (select m.*, row_number() over (order by received_time, epoch_id, message_seq) as place, count(*) over () as total
           from booktape.book_messages m) numbered
     where place % greatest(1, total / $1) = 0`,
    [samples],
  )
  const faults: string[] = []
  await postgres.connected(async (client) => {
    for (const { symbol, feed, epoch, update } of chosen) {
      const truth = exchange.exchange.truth.bookAfter(symbol, BigInt(update))
      const expected = [...truth.bids.map(([p, q]) => `bid ${p} ${q}`), ...truth.asks.map(([p, q]) => `ask ${p} ${q}`)]
      const { rows } = await client.query<{ shown: string }>(
        `select side || ' ' || price || ' ' || quantity as shown
         from market.book_at_update($1, $2::uuid, $3::bigint) order by side = 'ask', level`,
        [symbol, epoch, update],
      )
      const stored = rows.map(({ shown }) => shown)
      const different = expected.findIndex((level, i) => level !== stored[i])
      if (different === -1 && stored.length === expected.length) continue
      faults.push(
        `the ${feed} book of ${symbol} after ${update} in epoch ${epoch} has "${stored[different]}" where "${expected[different]}" is true`,
      )
    }
  })
  return { compared: chosen.length, faults }
}

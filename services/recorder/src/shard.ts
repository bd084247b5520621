import { createHash } from 'node:crypto'

/**
 * Rendezvous hashing: each symbol goes to the shard with the highest hash of the pair, so that changing the number of
 * shards moves only the symbols that the added or removed shard wins or held.
 */
export function symbolsOfShard(symbols: readonly string[], shard: number, shards: number): string[] {
  return symbols.filter((symbol) => shardOf(symbol, shards) === shard)
}

function shardOf(symbol: string, shards: number): number {
  let best = 0
  let bestHash = ''
  for (let shard = 0; shard < shards; shard++) {
    const hash = createHash('sha256').update(`${symbol}/${shard}`).digest('hex')
    if (hash > bestHash) {
      best = shard
      bestHash = hash
    }
  }
  return best
}

import { setTimeout as delay } from 'node:timers/promises'
import { judge } from '../chaos/oracle.ts'
import { World } from '../chaos/world.ts'
import { type Drill, seconds } from './drill.ts'

/**
 * Two outages of trades and what REST gives back: first the stream of trades alone goes silent while books go on (on the new API
 * alone, where a trade has no sequence and its loss cannot be seen), then everything is away. Afterwards every trade is a row.
 */
export const trades: Drill = {
  about: 'trades lost in two outages are all there afterwards, read from REST, within a minute of the recovery',
  usual: { 'outage-s': 60, seed: 1, rate: 5, 'goal-s': 60, 'patience-s': 720 },
  async run(numbers, say) {
    const env = { BOOKTAPE_FEEDS: 'ws' }
    const world = await World.start({ seed: numbers('seed'), symbols: SYMBOLS, rate: numbers('rate'), env })
    try {
      world.recorder(LINE).start()
      await world.recovered()
      const outages = [
        ['everything is away', beAway],
        ['the stream of trades alone is silent', silenceTrades],
      ] as const
      for (const [what, befall] of outages) {
        world.scenario = what
        const sinceNs = world.clock.wallNs()
        await befall(world, numbers('outage-s') * 1_000)
        const healedNs = world.clock.monoNs()
        const untilNs = world.clock.wallNs()
        await world.recovered(healedNs)
        const { lost, repairedMs } = await untilRepaired(world, { sinceNs, untilNs, healedNs }, numbers('patience-s'))
        say(
          `${what} for ${numbers('outage-s')} s: ${lost} trades were made; all are rows, ${await fromRest(world, sinceNs, untilNs)} from REST, ` +
            (repairedMs === null ? 'NEVER' : `${seconds(repairedMs)} after the end of the outage`),
        )
        if (repairedMs === null) world.violated(`not every trade is there after ${numbers('patience-s')} s`)
        else if (repairedMs > numbers('goal-s') * 1_000)
          world.violated(`it took ${seconds(repairedMs)}, above the goal`)
      }
      const verdict = await judge(world, 50)
      say(`${verdict.trades} trades, ${verdict.books} books held against the truth; ${verdict.gaps} gaps`)
      return world.violations
    } finally {
      await world.close()
    }
  },
}

const LINE = 'a'
const SYMBOLS = ['btcusd', 'ethusd', 'xrpusd', 'btcgusdperp', 'ethgusdperp', 'solgusdperp']
/** More than come in any outage. */
const ALL = 1_000_000
const LOOK_AGAIN_MS = 100

async function beAway(world: World, forMs: number): Promise<void> {
  world.venue.isRefusing = true
  world.count(world.venue.cut())
  await delay(forMs)
  world.heal()
}

async function silenceTrades(world: World, forMs: number): Promise<void> {
  world.exchange.exchange.faults.inject({ fault: 'drop', feed: 'ws', kind: 'trade', times: ALL })
  await delay(forMs)
  world.heal()
  world.count(world.exchange.exchange.faults.counts.drop)
}

type Outage = Readonly<{ sinceNs: bigint; untilNs: bigint; healedNs: bigint }>

/** Until every trade that was made in the outage is a row, and no gap of trades is left that REST might fill. */
async function untilRepaired(
  world: World,
  { sinceNs, untilNs, healedNs }: Outage,
  patienceS: number,
): Promise<{ lost: number; repairedMs: number | null }> {
  const made = world.symbols.flatMap((symbol) =>
    world.exchange.exchange.truth
      .trades(symbol)
      .filter(({ eventTimeNs }) => eventTimeNs > sinceNs && eventTimeNs < untilNs)
      .map(({ tradeId }) => `${symbol} ${tradeId}`),
  )
  for (;;) {
    const elapsedMs = Number((world.clock.monoNs() - healedNs) / 1_000_000n)
    const rows = await world.postgres.query<{ id: string }>(
      `select symbol || ' ' || trade_id as id from market.trades where event_time_ns between $1 and $2`,
      [String(sinceNs - EDGE_NS), String(untilNs + EDGE_NS)],
    )
    const stored = new Set(rows.map(({ id }) => id))
    const open = await world.postgres.query(
      `select 1 from market.gaps where stream = 'trades' and state in ('open', 'closed')`,
    )
    if (made.every((id) => stored.has(id)) && open.length === 0) return { lost: made.length, repairedMs: elapsedMs }
    if (elapsedMs > patienceS * 1_000) return { lost: made.length, repairedMs: null }
    await delay(LOOK_AGAIN_MS)
  }
}

/** v1 and REST tell milliseconds. */
const EDGE_NS = 1_000_000n

async function fromRest(world: World, sinceNs: bigint, untilNs: bigint): Promise<number> {
  const [row] = await world.postgres.query<{ count: number }>(
    `select count(*)::integer as count from market.trades where source = 'rest' and event_time_ns between $1 and $2`,
    [String(sinceNs - EDGE_NS), String(untilNs + EDGE_NS)],
  )
  return row?.count ?? 0
}

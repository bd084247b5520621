import { setTimeout as delay } from 'node:timers/promises'
import type { Feed } from '@booktape/market'
import { World } from '../chaos/world.ts'
import { type Drill, percentile, seconds } from './drill.ts'

/**
 * A quantity that is well-formed and wrong, on both feeds of quiet books, just after an audit has found them right: the audits of
 * the recorder must find it, and the gap must begin at the last good audit. A wrong level that the venue sets anew before it is
 * found is right again; then another is tried.
 */
export const corruption: Drill = {
  about: 'a silently wrong quantity on each feed: found by an audit within 5 minutes, the gap from the last good one',
  usual: { seed: 1, rate: 0.1, 'goal-s': 300, tries: 2 },
  async run(numbers, say) {
    const symbols = [...new Set(TARGETS.map(({ symbol }) => symbol))]
    const world = await World.start({ seed: numbers('seed'), symbols, rate: numbers('rate') })
    try {
      world.scenario = 'corruption'
      world.recorder('a').start()
      await world.recovered()
      const outcomes = await Promise.all(
        TARGETS.map((target) => untilFound(world, target, numbers('goal-s') * 1_000, numbers('tries'), say)),
      )
      for (const feed of ['v1', 'ws'] as const) {
        const times = outcomes.flatMap((end) => (end.feed === feed && end.foundMs !== null ? [end.foundMs] : []))
        if (times.length === 0)
          world.violated(`${feed}: no wrong quantity stood long enough to be found: nothing is shown`)
        say(
          `${feed}: ${times.length} wrong quantities found, after p50 ${seconds(percentile(times, 0.5))}, worst ${seconds(percentile(times, 1))}`,
        )
      }
      return world.violations
    } finally {
      await world.close()
    }
  },
}

type Target = Readonly<{ feed: Feed; symbol: string }>

/** Quiet books, so that a wrong level stands for minutes. */
const TARGETS: readonly Target[] = [
  ...['rlusdusd', 'batusd', 'filusd', 'linketh', 'ethbtc', 'linkusd'].map(
    (symbol) => ({ feed: 'v1', symbol }) as const,
  ),
  ...['wifusd', 'usdcusd', 'bonkusd', 'ltcbtc', 'uniusd', 'solbtc'].map((symbol) => ({ feed: 'ws', symbol }) as const),
]

const LOOK_AGAIN_MS = 250

type Outcome = Target & Readonly<{ foundMs: number | null }>

async function untilFound(
  world: World,
  target: Target,
  goalMs: number,
  tries: number,
  say: (sentence: string) => void,
): Promise<Outcome> {
  const name = `${target.feed} ${target.symbol}`
  for (let healed = 0; healed < tries; healed++) {
    const good = await freshAudit(world, target)
    const corruptedNs = await corrupt(world, target)
    const end = await watch(world, target, corruptedNs, goalMs)
    const elapsedMs = Number((world.clock.wallNs() - corruptedNs) / 1_000_000n)
    if (end === 'late') {
      world.violated(`${name}: a wrong quantity was not found in ${seconds(goalMs)}`)
      return { ...target, foundMs: null }
    }
    if (end === 'healed') {
      say(`${name}: the venue set the wrong level anew within ${seconds(elapsedMs)}: right again`)
      continue
    }
    say(
      `${name}: found after ${seconds(elapsedMs)}; the gap begins at update ${end.from}, the last good audit was at ${good}`,
    )
    const isFromGood = BigInt(end.from ?? 0) >= BigInt(good) && end.startedBefore
    if (!isFromGood) world.violated(`${name}: the gap begins at ${end.from}, the last good audit was at ${good}`)
    return { ...target, foundMs: elapsedMs }
  }
  return { ...target, foundMs: null }
}

/** The update id of the next audit of the whole book that finds it right. */
async function freshAudit(world: World, { feed, symbol }: Target): Promise<string> {
  const sinceNs = world.clock.wallNs()
  for (;;) {
    const [row] = await world.postgres.query<{ id: string }>(
      `select update_id::text as id from market.audits
       where feed = $1 and symbol = $2 and method in ('depth', 'cross_feed') and result = 'equal'
         and audited_at > to_timestamp($3::double precision)
       order by audited_at desc limit 1`,
      [feed, symbol, Number(sinceNs / 1_000_000n) / 1_000],
    )
    if (row !== undefined) return row.id
    await delay(LOOK_AGAIN_MS)
  }
}

/** Arms the fault and waits until a change was sent with a wrong quantity: when that was, by the wall clock. */
async function corrupt(world: World, { feed, symbol }: Target): Promise<bigint> {
  const { faults } = world.exchange.exchange
  const injected = faults.inject(
    feed === 'ws' ? { fault: 'corrupt', feed, symbol, kind: 'depth' } : { fault: 'corrupt', feed, symbol },
  )
  if (typeof injected === 'string') throw new Error(injected)
  while (faults.armed.some(({ id }) => id === injected.armed)) await delay(LOOK_AGAIN_MS)
  world.count()
  return world.clock.wallNs()
}

/** Until the recorder has given the book up for another than the venue's, or the stored book is the true one again. */
async function watch(
  world: World,
  { feed, symbol }: Target,
  corruptedNs: bigint,
  goalMs: number,
): Promise<'healed' | 'late' | { from: string | null; startedBefore: boolean }> {
  const since = Number(corruptedNs / 1_000_000n) / 1_000
  for (;;) {
    await delay(LOOK_AGAIN_MS)
    const [gap] = await world.postgres.query<{ from: string | null; startedBefore: boolean }>(
      `select from_id::text as from, started_at <= to_timestamp($3::double precision) as "startedBefore" from market.gaps
       where feed = $1 and symbol = $2 and stream = 'book' and cause = 'divergence'
         and coalesce(ended_at, now()) > to_timestamp($3::double precision) order by started_at desc limit 1`,
      [feed, symbol, since],
    )
    if (gap !== undefined) return gap
    if (await isTrue(world, { feed, symbol }, since)) return 'healed'
    if (world.clock.wallNs() - corruptedNs > BigInt(goalMs) * 1_000_000n) return 'late'
  }
}

/** Whether the newest stored book is the true one, after at least one update that came since. */
async function isTrue(world: World, { feed, symbol }: Target, since: number): Promise<boolean> {
  const [newest] = await world.postgres.query<{ epoch: string; update: string }>(
    `select epoch_id::text as epoch, update_id::text as update from market.book_changes
     where feed = $1 and symbol = $2 and not is_snapshot and received_time > to_timestamp($3::double precision) + interval '1 second'
     order by received_time desc, message_seq desc limit 1`,
    [feed, symbol, since],
  )
  if (newest === undefined) return false
  const truth = world.exchange.exchange.truth.bookAfter(symbol, BigInt(newest.update))
  const expected = [...truth.bids.map(([p, q]) => `bid ${p} ${q}`), ...truth.asks.map(([p, q]) => `ask ${p} ${q}`)]
  const rows = await world.postgres
    .query<{ shown: string }>(
      `select side || ' ' || price || ' ' || quantity as shown
       from market.book_at_update($1, $2, $3) order by side = 'ask', level`,
      [symbol, newest.epoch, newest.update],
    )
    .catch(() => []) // given up just now: the book is not known there any more
  return rows.length === expected.length && rows.every(({ shown }, i) => shown === expected[i])
}

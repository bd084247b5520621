import { setTimeout as delay } from 'node:timers/promises'
import { Dice } from '../simulation/dice.ts'
import { AccountScene } from './account-scene.ts'
import { type Drill, percentile } from './drill.ts'
import { premiumBps, withFee } from './premium.ts'

/** Instant quotes against the simulated exchange, which refuses now and then, while a recorder keeps the books. */
export const quotes: Drill = {
  about: 'instant quotes under refusals: each stored exactly, its premium as the true book says, nothing executed',
  usual: { minutes: 10, seed: 1, rate: 5, 'interval-s': 2 },
  async run(numbers, say) {
    const seed = numbers('seed')
    const scene = await AccountScene.start({
      seed,
      rate: numbers('rate'),
      nonces: 'monotonic',
      symbols: ['btcusd', 'ethusd', 'ethgusdperp'],
      env: {
        BOOKTAPE_INSTANT_QUOTES: ASKS.join(','),
        BOOKTAPE_INSTANT_QUOTE_INTERVAL: `${numbers('interval-s')}s`,
      },
    })
    try {
      // Before the recorder has its books, a quote's answer is that none is known.
      await scene.until('the books to be live', '(select count(*) >= 6 from market.epochs)')
      scene.startAccount()
      const endsAt = performance.now() + numbers('minutes') * 60_000
      const dice = new Dice(seed, 'quotes')
      let refusals = 0
      let cuts = 0
      do {
        await delay(dice.logBetween(200, 8_000))
        // One at a time: two refused nonces in a row mean that another program uses the key, and a pause of a minute.
        if (scene.exchange.exchange.faults.armed.length > 0) continue
        const fault = dice.pick(FAULTS)
        if (fault === null) {
          await scene.rows(
            `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'booktape account'`,
          )
          cuts++
        } else {
          scene.exchange.exchange.faults.inject({ fault: 'refuse_private', ...fault })
          refusals++
        }
      } while (performance.now() < endsAt)
      scene.exchange.exchange.faults.clear()
      const offered = scene.exchange.exchange.truth.quotes().length
      await scene.until(
        'more quotes after the last fault',
        `(select count(*) > ${offered + ASKS.length} from account.instant_quotes)`,
      )
      const metrics = await scene.look()
      await scene.account.stop()
      await scene.until(
        'the last quotes to be stored in the market',
        "now() > (select max(received_time) from account.instant_quotes) + interval '1 second'",
      )
      await scene.rows('begin isolation level repeatable read')
      await scene.rows('select account.answer_quotes(1000)') // those of the last seconds, as the next start would
      await scene.rows('commit')
      const violations = await judge(scene, say)
      say(`${refusals} kinds of refusals asked for, ${cuts} connections to the database cut`)
      say(
        metrics
          .split('\n')
          .filter((line) => line.startsWith('booktape_private_refusals_total'))
          .join('\n'),
      )
      return violations
    } finally {
      await scene.close()
    }
  },
}

const ASKS = [
  'btcusd:buy:100',
  'btcusd:buy:250000',
  'btcusd:sell:0.5',
  'ethusd:buy:5000',
  'ethusd:sell:12.25',
  'ethgusdperp:buy:300',
]

/** What the exchange answers instead; null: the database loses its connections. */
const FAULTS = [
  { status: 429, reason: 'RateLimit', retryAfterS: 1, times: 2 },
  { status: 429, reason: 'RateLimit', times: 1 },
  { status: 503, reason: 'Maintenance', times: 1 },
  { status: 500, reason: 'System', times: 2 },
  { status: 400, reason: 'InvalidNonce', times: 1 },
  { status: 400, reason: 'BadNonce', times: 1 },
  { status: 400, reason: 'MarketNotOpen', times: 1 },
  null,
] as const

type Stored = Readonly<{
  quote_id: string
  symbol: string
  side: 'buy' | 'sell'
  price: string
  quantity: string
  fee: string
  total_spend: string
  book_state: string
  book_update_id: string | null
  premium_bps: string | null
  premium_with_fee_bps: string | null
}>

/** Every quote that was offered against every row, and every premium against the true book. */
async function judge(scene: AccountScene, say: (sentence: string) => void): Promise<string[]> {
  const violations: string[] = []
  const { truth } = scene.exchange.exchange
  const rows = await scene.rows<Stored>(
    `select quote_id, symbol, side, price, quantity, fee, total_spend, book_state, book_update_id, premium_bps, premium_with_fee_bps
     from market.instant_quotes order by quote_id`,
  )
  const line = (
    of: { side: string; symbol: string; price: string; quantity: string; fee: string },
    id: string,
    spent: string,
  ): string => `${id} ${of.symbol} ${of.side} ${of.price} ${of.quantity} ${of.fee} ${spent}`
  const offered = truth.quotes().map((quote) => line(quote, String(quote.quoteId), quote.totalSpend))
  const stored = rows.map((row) => line(row, row.quote_id, row.total_spend))
  const missing = offered.filter((each) => !stored.includes(each))
  const invented = stored.filter((each) => !offered.includes(each))
  for (const each of missing) violations.push(`offered and not stored: ${each}`)
  for (const each of invented) violations.push(`stored and not offered: ${each}`)
  if (new Set(stored).size !== stored.length) violations.push('a quote is stored twice')

  const updateIds = new Map(truth.quotes().map((quote) => [String(quote.quoteId), String(quote.updateId)]))
  let sameBook = 0
  const premiums: number[] = []
  for (const row of rows) {
    if (row.book_state !== 'known' || row.book_update_id === null) {
      violations.push(`quote ${row.quote_id} of ${row.symbol} has no answer of the book: ${row.book_state}`)
      continue
    }
    const book = truth.bookAfter(row.symbol, BigInt(row.book_update_id))
    const side = row.side === 'buy' ? book.asks : book.bids
    const expected = premiumBps(row.side, row.price, side, row.quantity)
    const expectedWithFee = withFee(row.side, row.price, side, row.quantity, row.fee)
    if (row.premium_bps !== expected)
      violations.push(`premium of quote ${row.quote_id}: ${row.premium_bps}, and ${expected} by the true book`)
    if (row.premium_with_fee_bps !== expectedWithFee)
      violations.push(
        `premium with fee of quote ${row.quote_id}: ${row.premium_with_fee_bps}, and ${expectedWithFee} by the true book`,
      )
    if (updateIds.get(row.quote_id) === row.book_update_id) sameBook++
    premiums.push(Number(row.premium_bps))
  }
  const { executions, rateLimited, mostInAMinute } = truth.privateCounts()
  if (executions !== 0) violations.push(`${executions} times somebody asked to execute a quote or to place an order`)
  if (rateLimited !== 0) violations.push(`${rateLimited} requests came too fast`)
  if (mostInAMinute > 300) violations.push(`${mostInAMinute} requests in a minute, above the 300 advised`)
  for (const place of await scene.placesOfSecrets()) violations.push(`the key or the secret shows in ${place}`)
  const [failures] = await scene.rows<{ count: string }>('select count(*) from account.quote_failures')
  say(
    `${rows.length} quotes stored of ${offered.length} offered, ${failures?.count ?? 0} refusals stored; ` +
      `${sameBook} priced by the exchange from the very book that was recorded at their receipt`,
  )
  say(
    `premium p1 ${percentile(premiums, 0.01).toFixed(2)}, median ${percentile(premiums, 0.5).toFixed(2)}, p99 ${percentile(premiums, 0.99).toFixed(2)} basis points, each as the true book has it`,
  )
  say(`${executions} executions, at most ${mostInAMinute} requests in a minute, ${rateLimited} too fast`)
  return violations
}

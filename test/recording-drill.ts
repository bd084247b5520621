import assert from 'node:assert/strict'
import { type ExchangeServer, SYMBOL_PRESETS, startExchangeServer } from '@booktape/exchange'
import { systemClock } from '@booktape/runtime'
import { type Recording, startRecording } from './recording.ts'

/**
 * A recorder at the simulated exchange, over real sockets into a real Postgres, and everything it stored held against the
 * truth that the exchange kept. As a command, for as long as one likes:
 *
 *   node test/recording-drill.ts --minutes 10 --symbols 20
 */
export type Drill = Readonly<{
  exchange: ExchangeServer
  recording: Recording
  symbols: readonly string[]
  close(): Promise<void>
}>

/** A trade this close to an epoch's beginning or end may or may not have been seen. */
const EDGE_NS = 250_000_000n

export async function startDrill(options: { symbols: number; rate: number; seed: number }): Promise<Drill> {
  const specs = SYMBOL_PRESETS.slice(0, options.symbols)
  const symbols = specs.map((spec) => spec.symbol)
  const exchange = await startExchangeServer({
    port: 0,
    seed: options.seed,
    symbols: specs,
    rate: options.rate,
    clock: systemClock(),
  })
  const recording = await startRecording({ env: environmentOf(exchange, symbols) })
  return {
    exchange,
    recording,
    symbols,
    close: async () => {
      await recording.close()
      await exchange.stop()
    },
  }
}

export function environmentOf(exchange: ExchangeServer, symbols: readonly string[]) {
  return {
    BOOKTAPE_SYMBOLS: symbols.join(','),
    BOOKTAPE_GEMINI_V1_URL: exchange.v1Url,
    BOOKTAPE_GEMINI_WS_URL: exchange.wsUrl,
    BOOKTAPE_GEMINI_REST_URL: exchange.restUrl,
    BOOKTAPE_SNAPSHOT_INTERVAL: '5s',
  }
}

export function allLive({ recording }: Pick<Drill, 'recording'>): boolean {
  const tracks = [...recording.corridor.state.tracks.values()]
  return tracks.length > 0 && tracks.every((track) => track.epoch !== null)
}

type Sample = {
  symbol: string
  feed: string
  epoch: string
  update: string
  received: string
  isLastAtInstant: boolean
}

/** `samples` stored updates, spread over all symbols and feeds: the book after each, by both functions, is the true one. */
export async function compareBooks({ exchange, recording }: Drill, samples: number): Promise<number> {
  const chosen = await recording.query<Sample>(
    `select symbol, feed, epoch_id::text as epoch, update_id::text as update, received_time::text as received,
            coalesce(lead(received_time) over (partition by epoch_id order by message_seq) > received_time, true) as "isLastAtInstant"
     from booktape.book_messages`,
  )
  const step = Math.max(1, Math.floor(chosen.length / samples))
  let compared = 0
  for (let i = step - 1; i < chosen.length && compared < samples; i += step) {
    const sample = chosen[i]
    assert.ok(sample !== undefined)
    const truth = exchange.exchange.truth.bookAfter(sample.symbol, BigInt(sample.update))
    const expected = [...truth.bids.map(([p, q]) => `bid ${p} ${q}`), ...truth.asks.map(([p, q]) => `ask ${p} ${q}`)]
    const byUpdate = await bookRows(recording, 'market.book_at_update($1, $2::uuid, $3::bigint)', [
      sample.symbol,
      sample.epoch,
      sample.update,
    ])
    assert.deepEqual(byUpdate, expected, `${sample.feed} ${sample.symbol} after ${sample.update}`)
    // Two messages of one microsecond are one instant to SQL: only the later one's book can be asked for by time.
    if (sample.isLastAtInstant) {
      const byTime = await bookRows(recording, 'market.book_at($1, $2::timestamptz, null, $3)', [
        sample.symbol,
        sample.received,
        sample.feed,
      ])
      assert.deepEqual(byTime, expected, `${sample.feed} ${sample.symbol} at ${sample.received}`)
    }
    compared++
  }
  return compared
}

/** Every trade made while a feed was live is one row, exactly; returns how many. */
export async function compareTrades({ exchange, recording, symbols }: Drill): Promise<number> {
  let compared = 0
  for (const symbol of symbols) {
    const spans = await recording.query<{ from: string; to: string }>(
      `select (extract(epoch from started_at) * 1000000)::bigint::text || '000' as from,
              (extract(epoch from ended_at) * 1000000)::bigint::text || '000' as to
       from market.epochs where symbol = $1`,
      [symbol],
    )
    const isRecorded = (timeNs: bigint): boolean =>
      spans.some(({ from, to }) => timeNs > BigInt(from) + EDGE_NS && timeNs < BigInt(to) - EDGE_NS)
    const stored = await recording.query<{ id: string; row: string }>(
      `select trade_id::text as id, price || ' ' || quantity || ' ' || taker_side as row from market.trades where symbol = $1`,
      [symbol],
    )
    const rows = new Map(stored.map(({ id, row }) => [id, row]))
    assert.equal(rows.size, stored.length, `${symbol}: one row a trade`)
    for (const trade of exchange.exchange.truth.trades(symbol).filter((made) => isRecorded(made.eventTimeNs))) {
      const expected = `${trade.price} ${trade.quantity} ${trade.takerSide}`
      assert.equal(rows.get(String(trade.tradeId)), expected, `${symbol} ${trade.tradeId}`)
      compared++
    }
  }
  return compared
}

async function bookRows(recording: Recording, from: string, values: readonly unknown[]): Promise<string[]> {
  const rows = await recording.query<{ row: string }>(
    `select side || ' ' || price || ' ' || quantity as row from ${from} order by side = 'ask', level`,
    values,
  )
  return rows.map(({ row }) => row)
}

async function command(minutes: number, symbols: number): Promise<void> {
  const say = (sentence: string): void => void process.stdout.write(`${sentence}\n`)
  const drill = await startDrill({ symbols, rate: 1, seed: 42 })
  try {
    await drill.recording.until(() => allLive(drill))
    say(`${drill.symbols.length} symbols live on both feeds; recording for ${minutes} min`)
    const endsAt = Date.now() + minutes * 60_000
    await drill.recording.until(() => Date.now() >= endsAt)
    await drill.recording.stop()
    const books = await compareBooks(drill, 100)
    say(`${books} books equal the exchange's, level by level, by book_at_update and by book_at`)
    say(`${await compareTrades(drill)} trades, each stored once`)
    const [counts] = await drill.recording.query(
      `select (select count(*) from booktape.book_messages) as messages,
              (select sum(cardinality(prices)) from booktape.book_messages) as changes,
              (select count(*) from market.quotes) as quotes,
              (select count(*) from market.book_snapshots) as snapshots,
              (select count(*) from market.gaps where cause <> 'stopped') as gaps,
              (select sum(levels_compared) from market.audits) as audited,
              (select sum(levels_different) from market.audits) as different`,
    )
    say(JSON.stringify(counts))
  } finally {
    await drill.close()
  }
}

if (import.meta.main) {
  const value = (name: string, standard: number): number => {
    const at = process.argv.indexOf(name)
    return at === -1 ? standard : Number(process.argv[at + 1])
  }
  await command(value('--minutes', 10), value('--symbols', 20))
}

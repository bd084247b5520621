import assert from 'node:assert/strict'
import { openTape } from '@booktape/client'
import { SYMBOL_PRESETS, startExchangeServer } from '@booktape/exchange'
import { type Pace, type ReplayServer, startReplayServer } from '@booktape/replay'
import { systemClock } from '@booktape/runtime'
import { type Recording, startRecording } from './recording.ts'
import { allLive, environmentOf } from './recording-drill.ts'

// A recorder at the simulated exchange, its recording replayed over real sockets into a second recorder, and the tables of both held
// against each other.

export type Fault = Readonly<Record<string, string | number>>

export type FaultyRecording = Readonly<{
  recording: Recording
  /** Lets the exchange do wrong, and waits until every book is live again. */
  suffer(fault: Fault): Promise<void>
  /** Stops the recorder, then the exchange; the recording can still be queried. */
  stop(): Promise<void>
}>

/** A recorder at an exchange of the first so many symbols, every book live. */
export async function startFaultyRecording(options: { symbols: number; rate: number }): Promise<FaultyRecording> {
  const specs = SYMBOL_PRESETS.slice(0, options.symbols)
  const clock = systemClock()
  const exchange = await startExchangeServer({ port: 0, seed: 11, symbols: specs, rate: options.rate, clock })
  const symbols = specs.map(({ symbol }) => symbol)
  const recording = await startRecording({ env: environmentOf(exchange, symbols) })
  await recording.until(() => allLive({ recording }))
  return {
    recording,
    async suffer(fault) {
      const epochs = await countOf(recording, 'market.epochs')
      const answer = await fetch(`${exchange.controlUrl}/faults`, { method: 'POST', body: JSON.stringify(fault) })
      assert.equal(answer.status, 200)
      await recording.until(async () => (await countOf(recording, 'market.epochs')) > epochs && allLive({ recording }))
    },
    async stop() {
      await recording.stop()
      await exchange.stop()
    },
  }
}

export async function countOf({ query }: Pick<Recording, 'query'>, relation: string): Promise<number> {
  const [row] = await query<{ n: string }>(`select count(*) as n from ${relation}`)
  return Number(row?.n)
}

/** Replays all of an ended recording into a second recorder, which is stopped when it has stored everything. */
export async function recordReplay(first: Recording, pace: Pace): Promise<{ second: Recording; events: number }> {
  const tape = openTape(first.databaseUrl)
  const [span] = await first.query<{ from_ns: string; to_ns: string; symbols: string[] }>(
    `select booktape.nanoseconds(min(started_at)) as from_ns, booktape.nanoseconds(max(ended_at)) + 1000 as to_ns,
       array_agg(distinct symbol) as symbols from market.epochs`,
  )
  assert.ok(span !== undefined)
  const { symbols } = span
  let replay: ReplayServer | null = null
  let second: Recording | null = null
  try {
    replay = await startReplayServer({
      tape,
      span: { symbols, fromNs: BigInt(span.from_ns), toNs: BigInt(span.to_ns), feed: null, clock: 'received' },
      port: 0,
      pace,
      waitsForClients: true,
      clock: systemClock(),
    })
    const { v1Url, wsUrl, restUrl } = replay
    second = await startRecording({
      env: {
        BOOKTAPE_SYMBOLS: symbols.join(','),
        BOOKTAPE_GEMINI_V1_URL: v1Url,
        BOOKTAPE_GEMINI_WS_URL: wsUrl,
        BOOKTAPE_GEMINI_REST_URL: restUrl,
      },
    })
    const events = await replay.over
    const expected = await countOf(first, 'booktape.book_messages')
    const { query } = second
    await second.until(async () => (await countOf({ query }, 'booktape.book_messages')) >= expected)
    await second.stop()
    return { second, events }
  } catch (error) {
    await second?.close()
    throw error
  } finally {
    await replay?.stop()
    await tape.close()
  }
}

/**
 * What both recordings must tell alike; ids of sessions, and our clock, are each recorder's own. $1 is when the first one began: of
 * what was traded before, REST has told it some, and of a trade told by both feeds the first to come tells the time, v1 in milliseconds.
 */
const TABLES: Readonly<Record<string, string>> = {
  epochs: `select symbol, feed, first_update_id, last_update_id, end_reason from market.epochs
    order by feed, symbol, started_at`,
  gaps: `select symbol, feed, from_id, to_id, cause from market.gaps where stream = 'book' and from_id is not null
    order by feed, symbol, started_at`,
  messages: `select m.symbol, m.feed, e.first_update_id as epoch, m.first_update_id as after, m.update_id, m.event_time_ns, m.marks,
      m.prices::text, m.quantities::text
    from booktape.book_messages m join booktape.epochs e using (epoch_id)
    order by m.feed, m.symbol, m.received_time_ns, m.message_seq`,
  books: `select b.symbol, b.feed, b.update_id, b.reason, b.digest from market.book_snapshots b join market.epochs e using (epoch_id)
    where b.reason <> 'interval' order by b.feed, b.symbol, e.started_at, b.reason = 'epoch_end'`,
  trades: `select symbol, trade_id, event_time_ns / 1000000 as event_ms, price, quantity, taker_side, broken from market.trades
    where event_time_ns >= $1 order by symbol, trade_id`,
  quotes: `select symbol, feed, update_id, event_time_ns, bid_price, bid_quantity, ask_price, ask_quantity from market.quotes
    order by feed, symbol, received_time_ns, update_id`,
}

/** Throws where they differ; gives how many rows of each table are equal, and books at instants. */
export async function compareRecordings(
  first: Recording,
  second: Recording,
  instants: number,
): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {}
  const [began] = await first.query<{ ns: string }>(
    'select booktape.nanoseconds(min(started_at)) as ns from market.epochs',
  )
  for (const [table, query] of Object.entries(TABLES)) {
    const values = query.includes('$1') ? [began?.ns] : []
    const [expected, found] = [await first.query(query, values), await second.query(query, values)]
    const at = expected.findIndex((row, i) => JSON.stringify(row) !== JSON.stringify(found[i]))
    if (at !== -1) assert.deepEqual(found.slice(at, at + 3), expected.slice(at, at + 3), `${table}, row ${at}`)
    assert.equal(found.length, expected.length, table)
    counts[table] = expected.length
  }
  const messages = await first.query<{ symbol: string; feed: string; first_id: string; update_id: string }>(
    `select m.symbol, m.feed, e.first_update_id as first_id, m.update_id from booktape.book_messages m
     join booktape.epochs e using (epoch_id) order by m.received_time_ns, m.feed`,
  )
  const step = Math.max(1, Math.floor(messages.length / instants))
  let compared = 0
  for (let i = 0; i < messages.length && compared < instants; i += step, compared++) {
    const { symbol, feed, first_id, update_id } = messages[i] ?? assert.fail()
    const values = [symbol, feed, first_id, update_id]
    const [expected] = await first.query(DIGEST, values)
    const [found] = await second.query(DIGEST, values)
    assert.deepEqual(found, expected, values.join(' '))
  }
  return { ...counts, 'books at instants': compared }
}

const DIGEST = `select encode(sha256(convert_to(string_agg(b.side || ' ' || b.price || ' ' || b.quantity, chr(10)
    order by b.side = 'ask', b.level), 'UTF8')), 'hex') as digest
  from market.epochs e cross join lateral market.book_at_update(e.symbol, e.epoch_id, $4) b
  where e.symbol = $1 and e.feed = $2 and e.first_update_id = $3`

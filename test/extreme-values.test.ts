import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveId, type MarketRecord } from '@booktape/market'
import { advance, type CorridorEvent, newCorridorState } from '@booktape/session'
import { ensurePartitions, migrate, openDatabase, Writer } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'

// What the decoders let through must be what Postgres takes: one refused value would stop every row behind it.

const AT = { wallNs: 1_785_312_000_123_456_789n, monoNs: 1_000_000_000n }
const MAX_ID = 2n ** 63n - 1n
const WIDEST = `${'9'.repeat(18)}.${'9'.repeat(18)}`
const FINEST = `0.${'0'.repeat(17)}1`
/** Ten times the deepest book seen; some 2 MB on the wire. */
const DEEP = 50_000
const HOSTILE_TEXT = 'x\\u0000\\u0001\\u009b31m\u202e\\"\'; drop table booktape.trades; --'

test('every extreme that the venue can say is stored whole: ids, times, decimals, depth, and text meant to break', async (t) => {
  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const database = openDatabase(temporary.url, { applicationName: 'booktape test', max: 2 })
  t.after(async () => {
    await database.close()
    await temporary.close()
  })
  await ensurePartitions(database, '2026-07-29', 0)
  const writer = new Writer(database, { journalId: deriveId('journal', 'extremes'), line: 'a', shard: 0 })
  await writer.readPosition()

  const records = recordsOf(FRAMES)
  const result = await writer.write({ fromPosition: 0, toPosition: 1, recordedUntilNs: AT.wallNs, records })
  assert.equal(result.outcome, 'committed')

  const { rows } = await database.pool.query(
    `select (select cardinality(bid_prices) from booktape.book_snapshots where reason = 'initial') as levels,
            (select array_agg(distinct p::text) from booktape.book_messages, unnest(prices) p) as prices,
            (select array_agg(distinct q::text order by q::text) from booktape.book_messages, unnest(quantities) q) as quantities,
            (select max(update_id) from booktape.book_messages) as update_id,
            (select array_agg(trade_id || ' ' || event_time_ns order by trade_id) from booktape.trades) as trades,
            (select min(event_time_ns) from booktape.quotes) as quoted,
            (select min_order_size from booktape.instruments) as size,
            (select status from booktape.instruments) as status,
            (select array_agg(encode(payload, 'hex') order by message_seq) from booktape.quarantine) as kept,
            (select close_reason from booktape.sessions) as close_reason`,
  )
  assert.deepEqual(rows, [
    {
      levels: DEEP,
      prices: [FINEST, WIDEST],
      quantities: ['0', WIDEST],
      update_id: MAX_ID,
      trades: ['0 0', `${MAX_ID} ${MAX_ID}`],
      quoted: 0n,
      size: FINEST,
      status: 'x\uFFFD\u0001\u009b31m\u202e"\'; drop table booktape.trades; --',
      kept: [hex(UNKNOWN), hex(NOT_UTF8)],
      close_reason: 'gone \uFFFD\uFFFD',
    },
  ])
})

const DEEP_SIDE = Array.from({ length: DEEP }, (_, i) => `["${DEEP - i}.5","${WIDEST}"]`).join(',')
const UNKNOWN = `{"e":"${HOSTILE_TEXT}"}`
const NOT_UTF8 = Buffer.from([0x7b, 0x00, 0xff, 0xfe])
const FRAMES: readonly (string | Buffer)[] = [
  `{"e":"depthUpdate","E":0,"s":"BTCUSD","U":0,"u":0,"b":[${DEEP_SIDE}],"a":[["${WIDEST}","${FINEST}"]]}`,
  `{"e":"depthUpdate","E":${MAX_ID},"s":"btcusd","U":0,"u":${MAX_ID},"b":[["${FINEST}","${WIDEST}"]],"a":[["${WIDEST}","0"]]}`,
  `{"E":${MAX_ID},"s":"btcusd","t":${MAX_ID},"p":"${WIDEST}","q":"${FINEST}","m":true}`,
  `{"E":0,"s":"btcusd","t":0,"p":"${FINEST}","q":"0","m":false}`,
  `{"u":0,"E":0,"s":"btcusd","b":"${FINEST}","B":"${WIDEST}","a":"","A":""}`,
  UNKNOWN,
  NOT_UTF8, // as a binary message
]
const DETAILS = `{"symbol":"BTCUSD","base_currency":"BTC","quote_currency":"USD","tick_size":1e-18,"quote_increment":1E-18,
  "min_order_size":"${FINEST}","status":"${HOSTILE_TEXT}","wrap_enabled":false,"product_type":"spot","contract_type":"vanilla"}`

function recordsOf(frames: readonly (string | Buffer)[]): MarketRecord[] {
  const state = newCorridorState()
  const sessionId = deriveId('session', 'extremes')
  const run = {
    runId: 'a run',
    line: 'a',
    symbols: ['btcusd'],
    feeds: ['ws'],
    v1Url: 'ws://127.0.0.1:1',
    wsUrl: 'ws://127.0.0.1:2',
    snapshotIntervalMs: 60_000,
  } as const
  const events: CorridorEvent[] = [
    { kind: 'started', at: AT, run },
    { kind: 'tick', at: AT },
    { kind: 'dialing', at: AT, connection: 1, session: 'ws#0', sessionId, url: run.wsUrl },
    { kind: 'opened', at: AT, connection: 1 },
    ...frames.map((frame, i): CorridorEvent => {
      const isBinary = typeof frame !== 'string'
      const payload = typeof frame === 'string' ? Buffer.from(frame) : frame
      return { kind: 'frame', at: AT, connection: 1, messageSeq: i + 1, isBinary, payload }
    }),
    { kind: 'symbol_details', at: AT, body: DETAILS },
    { kind: 'closed', at: AT, connection: 1, code: 4999, reason: 'gone \u0000\ud800' },
  ]
  return events.flatMap((event) => advance(state, event).records)
}

const hex = (content: string | Buffer): string => Buffer.from(content).toString('hex')

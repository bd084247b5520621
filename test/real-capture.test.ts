import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { WebSocketServer } from 'ws'
import { type Recording, startRecording } from './recording.ts'

// The frames were recorded from Gemini's production by a third party; they lie beside the project, not in it.
const CAPTURE = new URL('../../shared/captures/ws-production-2026-09-30.tsv', import.meta.url)
const SYMBOLS = ['btcgusdperp', 'ethgusdperp', 'btcusd']

type Level = readonly [price: string, quantity: string]
type Depth = { e: string; s: string; b: Level[]; a: Level[] }
type Change = { symbol: string; update: string; time: string; side: string; price: string; quantity: string }

describe('frames of production, served over a real WebSocket', {
  skip: !existsSync(CAPTURE) && 'the captures are not beside the project',
}, () => {
  const frames = existsSync(CAPTURE) ? readFrames() : []
  let server: Awaited<ReturnType<typeof serve>>
  let recording: Recording
  let metrics: string

  before(async () => {
    server = await serve(frames)
    recording = await startRecording({
      env: {
        BOOKTAPE_SYMBOLS: SYMBOLS.join(','),
        BOOKTAPE_FEEDS: 'ws',
        BOOKTAPE_GEMINI_V1_URL: server.wsUrl,
        BOOKTAPE_GEMINI_WS_URL: server.wsUrl,
        BOOKTAPE_GEMINI_REST_URL: server.httpUrl,
      },
    })
    await recording.until(() => server.isServed())
    await recording.until(async () => (await count('market.trades')) === 3)
    metrics = await (await fetch(`${recording.httpUrl}/metrics`)).text()
    await recording.stop()
  })
  after(async () => {
    await recording?.close()
    await server?.close()
  })

  const count = async (relation: string): Promise<number> => {
    const [row] = await recording.query<{ n: number }>(`select count(*)::int as n from ${relation}`)
    return row?.n ?? 0
  }

  test('give three books', async () => {
    const epochs = await recording.query<{ symbol: string }>(
      'select symbol from market.epochs order by started_at, symbol',
    )
    assert.deepEqual(epochs.map((epoch) => epoch.symbol).sort(), ['btcgusdperp', 'btcusd', 'ethgusdperp'])
  })

  test('leave no gap but the one of our own stop', async () => {
    assert.deepEqual(await recording.query("select * from market.gaps where cause <> 'stopped'"), [])
  })

  test('hold one stale diff, which is dropped', async () => {
    const stale = metrics.split('\n').filter((line) => line.includes('"stale_update"'))
    assert.deepEqual(stale, ['booktape_anomalies_total{feed="ws",symbol="btcusd",anomaly="stale_update"} 1'])
  })

  test('agree with the 13 bookTickers that came at a book\u2019s own id', async () => {
    const [row] = await recording.query<{ compared: number; different: number }>(
      'select sum(levels_compared)::int as compared, sum(levels_different)::int as different from market.audits',
    )
    assert.deepEqual(row, { compared: 26, different: 0 }) // two levels each
  })

  test('are in Postgres to the last digit: every level, id and nanosecond, in the order they came', async () => {
    const stored = await recording.query<Change>(
      `select symbol, update_id::text as update, event_time_ns::text as time, side, price::text, quantity::text
       from market.book_changes where not is_snapshot order by message_seq, change_index`,
    )
    const sent = depthsOf(frames).filter(({ isSnapshot, isStale }) => !isSnapshot && !isStale)
    assert.deepEqual(
      stored,
      sent.flatMap(({ changes }) => changes),
    )
  })

  test('hold three snapshots, stored whole', async () => {
    for (const { changes } of depthsOf(frames).filter(({ isSnapshot }) => isSnapshot)) {
      const stored = await recording.query<Change>(
        `select symbol, update_id::text as update, event_time_ns::text as time, side, price::text, quantity::text
         from market.book_changes where is_snapshot and symbol = $1 order by change_index`,
        [changes[0]?.symbol],
      )
      assert.deepEqual(stored, changes)
    }
  })

  test('hold three trades and every bookTicker', async () => {
    const trades = await recording.query(
      'select trade_id::text as id, event_time_ns::text as time, price::text, quantity::text, taker_side from market.trades order by trade_id',
    )
    const sent = frames
      .filter((frame) => frame.includes('"t":'))
      .map((frame) => {
        const { t, p, q, m } = JSON.parse(frame) as { t: number; p: string; q: string; m: boolean }
        return {
          id: String(t),
          time: digits(frame, 'E'),
          price: canonical(p),
          quantity: canonical(q),
          taker_side: m ? 'sell' : 'buy',
        }
      })
    assert.equal(sent.length, 3)
    assert.deepEqual(
      trades,
      sent.sort((a, b) => Number(BigInt(a.id) - BigInt(b.id))),
    )
    assert.equal(await count('market.quotes'), frames.filter((frame) => frame.includes('"B":')).length)
  })

  async function serve(toSend: readonly string[]) {
    const http = createServer((request, response) => {
      const isList = request.url === '/v1/symbols'
      response.writeHead(isList ? 200 : 404, { 'content-type': 'application/json' })
      response.end(
        isList ? JSON.stringify(SYMBOLS) : '{"result":"error","reason":"InvalidSymbol","message":"no details here"}',
      )
    })
    const sockets = new WebSocketServer({ server: http })
    let served = false
    sockets.on('connection', (socket) => {
      let subscribed = 0
      socket.on('message', (message: Buffer) => {
        const { id, method } = JSON.parse(message.toString('utf8')) as { id: string; method: string }
        const streams = SYMBOLS.flatMap((symbol) => [
          `${symbol}@depth@100ms`,
          `${symbol}@bookTicker`,
          `${symbol}@trade`,
        ])
        const reply = method === 'list_subscriptions' ? { id, status: 200, result: streams } : { id, status: 200 }
        if (method === 'subscribe' && ++subscribed === SYMBOLS.length) {
          for (const frame of toSend) socket.send(frame)
          served = true
        }
        socket.send(JSON.stringify(reply))
      })
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    const { port } = http.address() as AddressInfo
    return {
      wsUrl: `ws://127.0.0.1:${port}`,
      httpUrl: `http://127.0.0.1:${port}`,
      isServed: () => served,
      close: async () => {
        for (const socket of sockets.clients) socket.terminate()
        http.closeAllConnections()
        await new Promise((resolve) => http.close(resolve))
      },
    }
  }
})

function readFrames(): string[] {
  const lines = readFileSync(CAPTURE, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  return lines.map((line) => line.slice(line.indexOf('\t') + 1))
}

/** What the depth frames say, read by other means than booktape's: the oracle of this test. */
function depthsOf(frames: readonly string[]): { isSnapshot: boolean; isStale: boolean; changes: Change[] }[] {
  const last = new Map<string, bigint>()
  return frames
    .filter((frame) => frame.includes('"depthUpdate"'))
    .map((frame) => {
      const { s: symbol, b, a } = JSON.parse(frame) as Depth
      const update = digits(frame, 'u')
      const lastId = last.get(symbol)
      const isSnapshot = lastId === undefined
      const isStale = lastId !== undefined && BigInt(update) <= lastId
      if (!isStale) last.set(symbol, BigInt(update))
      const time = digits(frame, 'E')
      const change =
        (side: string) =>
        ([price, quantity]: Level): Change => ({
          symbol,
          update,
          time,
          side,
          price: canonical(price),
          quantity: canonical(quantity),
        })
      return { isSnapshot, isStale, changes: [...b.map(change('bid')), ...a.map(change('ask'))] }
    })
}

/** The digits of a number in the frame, as text: JSON.parse would round them. */
function digits(frame: string, key: string): string {
  const found = new RegExp(`"${key}":(\\d+)`).exec(frame)?.[1]
  assert.ok(found !== undefined, `${key} in ${frame.slice(0, 80)}`)
  return found
}

function canonical(text: string): string {
  return text.includes('.') ? text.replace(/0+$/, '').replace(/\.$/, '') : text
}

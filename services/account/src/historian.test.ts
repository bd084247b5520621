import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Credentials } from '@booktape/gemini'
import { createLogger } from '@booktape/runtime'
import { StoreError, type UnfilledGaps } from '@booktape/store'
import type { AccountEvent } from './event.ts'
import { type HistorianParts, keepHistory } from './historian.ts'
import type { PrivateReply } from './private-client.ts'

const GAP = { journalId: 'a0000000-0000-4000-8000-000000000000', position: '7', feed: 'v1' }
const NS_PER_MS = 1_000_000n
const FROM_MS = 1_785_312_000_000n
const WANTED: UnfilledGaps = { gaps: [GAP], fromNs: FROM_MS * NS_PER_MS, ordersFromNs: (FROM_MS - 5_000n) * NS_PER_MS }

const fill = (ms: bigint, tradeId: number) => ({
  price: '1',
  amount: '1',
  timestampms: Number(ms),
  type: 'Buy',
  aggressor: true,
  fee_currency: 'USD',
  fee_amount: '0',
  tid: tradeId,
  order_id: '1',
  symbol: 'BTCUSD',
})

const answered = (rows: readonly object[]): PrivateReply => ({
  kind: 'answered',
  sentNs: 0n,
  receivedNs: 0n,
  body: JSON.stringify(rows),
})

/** Runs until everything that the venue was to answer is answered and one pause is made. */
async function run(
  replies: readonly PrivateReply[],
  parts: Partial<HistorianParts> = {},
): Promise<{ asked: string[]; events: AccountEvent[]; pausedMs: number }> {
  const stopping = new AbortController()
  const asked: string[] = []
  const events: AccountEvent[] = []
  const left = [...replies]
  let pausedMs = 0
  await keepHistory(
    {
      client: {
        post: async (path, parameters) => {
          asked.push(`${path} ${JSON.stringify(parameters)}`)
          return left.shift() ?? assert.fail('asked more often than the venue was to answer')
        },
      },
      credentials: new Credentials({ key: 'account-canary', secret: 'secret-canary', account: null }),
      clock: {
        wallNs: () => 1n,
        monoNs: () => 1n,
        sleep: async (ms) => {
          pausedMs = ms
          stopping.abort()
        },
      },
      note: (event) => void events.push(event),
      unfilledGaps: async () => WANTED,
      isHeld: () => false,
      log: createLogger({ level: 'silent', name: 'test' }),
      ...parts,
    },
    stopping.signal,
  )
  return { asked, events, pausedMs }
}

test('a gap is filled by both lists, from a minute before it, orders from the oldest that may have ended in it', async () => {
  const { asked, events } = await run([answered([]), answered([fill(FROM_MS, 1)])])
  assert.deepEqual(asked, [
    `/v1/orders/history {"timestamp":${FROM_MS - 65_000n},"limit_orders":500}`,
    `/v1/mytrades {"timestamp":${FROM_MS - 60_000n},"limit_trades":500}`,
  ])
  assert.deepEqual(
    events.map((event) => (event.kind === 'history_page' ? `${event.kind} of ${event.list}` : event.kind)),
    ['history_page of orders', 'history_page of fills', 'history_read'],
  )
  assert.deepEqual(events.at(-1), { kind: 'history_read', at: { wallNs: 1n, monoNs: 1n }, gaps: [GAP] })
})

test('a full page is followed by the one from its newest row on, also where one millisecond fills it', async () => {
  const full = (ms: bigint) => answered(Array.from({ length: 500 }, (_, i) => fill(ms, i)))
  const { asked } = await run([answered([]), full(FROM_MS + 9n), full(FROM_MS + 9n), answered([])])
  assert.deepEqual(
    asked.slice(1).map((each) => /"timestamp":(\d+)/.exec(each)?.[1]),
    [FROM_MS - 60_000n, FROM_MS + 9n, FROM_MS + 10n].map(String),
  )
})

test('no gap, nothing asked', async () => {
  const { asked, events, pausedMs } = await run([], { unfilledGaps: async () => null })
  assert.deepEqual([asked, events, pausedMs], [[], [], 2_000])
})

const refusal = { status: 403, reason: 'MissingRole', remedy: 'operator', sentence: 'the key lacks a role' } as const
for (const [name, replies, parts] of [
  ['a refusal', [{ kind: 'refused', sentNs: 0n, receivedNs: 0n, refusal }], {}],
  ['no answer', [answered([]), { kind: 'failed', sentNs: 0n, receivedNs: 0n, reason: 'no connection' }], {}],
  ['what cannot be read', [answered([{}])], {}],
  ['a database that is away', [], { unfilledGaps: async () => Promise.reject(new StoreError('AWAY', 'away')) }],
] as const satisfies readonly (readonly [string, readonly PrivateReply[], Partial<HistorianParts>])[]) {
  test(`${name} leaves the gap as it is, for a minute`, async () => {
    const { events, pausedMs } = await run(replies, parts)
    assert.equal(
      events.some(({ kind }) => kind === 'history_read'),
      false,
    )
    assert.equal(pausedMs, 60_000)
  })
}

test('nothing is asked while nothing can be written down', async () => {
  assert.deepEqual((await run([], { isHeld: () => true })).asked, [])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveId, type MarketRecord } from '@booktape/market'
import { AT, batchOf, bookMessage, openStore, registeredWriter, SESSION } from './writer.fixture.ts'

const epochOf = (
  name: string,
  firstUpdateId: bigint,
  receivedTimeNs: bigint,
  feed: 'v1' | 'ws' = 'ws',
): MarketRecord => ({
  kind: 'epoch_started',
  epochId: deriveId(name),
  sessionId: SESSION,
  symbol: 'btcusd',
  feed,
  firstUpdateId,
  receivedTimeNs,
})
const endOf = (name: string, lastUpdateId: bigint, receivedTimeNs: bigint, reason = 'disconnect'): MarketRecord => ({
  kind: 'epoch_ended',
  epochId: deriveId(name),
  lastUpdateId,
  reason,
  receivedTimeNs,
})
const gapOf = (
  name: string,
  fromId: bigint | null,
  receivedTimeNs: bigint,
  feed: 'v1' | 'ws' = 'ws',
): MarketRecord => ({
  kind: 'gap_opened',
  gapId: deriveId(name),
  symbol: 'btcusd',
  feed,
  stream: 'book',
  fromId,
  cause: 'restart',
  receivedTimeNs,
})
const closeOf = (name: string, toId: bigint | null, receivedTimeNs: bigint): MarketRecord => ({
  kind: 'gap_closed',
  gapId: deriveId(name),
  toId,
  receivedTimeNs,
})
const US = 1_000n

// One journal throughout: its state was lost, not its entries, so whoever goes on does not know of what is stored.
for (const [what, before, after, bridges] of [
  [
    'told nothing of it',
    [epochOf('p', 5n, AT), endOf('p', 9n, AT + 2n * US)],
    [epochOf('n', 20n, AT + 8n * US)],
    [['ws', 9n, 20n, 2, 8]],
  ],
  [
    'was never ended',
    [epochOf('p', 5n, AT), bookMessage(7, { epochId: deriveId('p'), receivedTimeNs: AT + 3n * US })],
    [epochOf('n', 20n, AT + 8n * US)],
    [['ws', 7n, 20n, 3, 8]],
  ],
  [
    'is known to have ended, from some time on',
    [epochOf('p', 5n, AT), endOf('p', 9n, AT + 2n * US)],
    [gapOf('g', null, AT + 6n * US), closeOf('g', 20n, AT + 8n * US), epochOf('n', 20n, AT + 8n * US)],
    [['ws', 9n, null, 2, 6]],
  ],
  [
    'is followed by a gap that nobody closed',
    [epochOf('p', 5n, AT), endOf('p', 9n, AT + 2n * US), gapOf('g', 9n, AT + 2n * US)],
    [epochOf('n', 20n, AT + 8n * US)],
    [],
  ],
  [
    'ended at the very id, on the new API',
    [epochOf('p', 5n, AT), endOf('p', 9n, AT + 2n * US)],
    [epochOf('n', 9n, AT + 8n * US)],
    [],
  ],
  [
    'ended at the very id, on v1, whose gaps say so',
    [epochOf('p', 5n, AT, 'v1'), endOf('p', 9n, AT + 2n * US)],
    [epochOf('n', 9n, AT + 8n * US, 'v1')],
    [['v1', 9n, 9n, 2, 8]],
  ],
  [
    'passed on to it by a rotation',
    [epochOf('p', 5n, AT), endOf('p', 9n, AT + 2n * US, 'rotation')],
    [epochOf('n', 20n, AT + 8n * US)],
    [],
  ],
  [
    'ended before a clock was set back, and the recorder knew',
    [epochOf('p', 5n, AT), endOf('p', 9n, AT + 50n * US), gapOf('g', 9n, AT + 50n * US)],
    [
      closeOf('g', 20n, AT + 50n * US),
      epochOf('n', 20n, AT + 8n * US),
      endOf('n', 30n, AT + 90n * US),
      gapOf('h', 30n, AT + 90n * US),
      closeOf('h', 40n, AT + 95n * US),
      epochOf('o', 40n, AT + 95n * US),
    ],
    [],
  ],
] as const satisfies readonly (readonly [
  string,
  MarketRecord[],
  MarketRecord[],
  (string | bigint | number | null)[][],
])[]) {
  test(`an epoch follows one that ${what}: ${bridges.length === 0 ? 'no' : 'a'} hole is disclosed, and no gap stays open`, async (t) => {
    const { database } = await openStore(t)
    const writer = await registeredWriter(database)
    await writer.write(batchOf(before, 0))
    await writer.write(batchOf(after, before.length))
    const micros = (column: string) =>
      `((extract(epoch from ${column}) - extract(epoch from timestamptz '2026-07-29T08:00:00.123456Z')) * 1e6)::int`
    const rowsOf = async (text: string) => (await database.pool.query<unknown[]>({ text, rowMode: 'array' })).rows
    const found = await rowsOf(
      `select feed, from_id, to_id, ${micros('started_at')}, ${micros('ended_at')} from booktape.gaps
       where cause = 'restart' and state = 'closed' and gap_id <> all('{${['g', 'h'].map((name) => deriveId(name)).join(',')}}')`,
    )
    assert.deepEqual(found, bridges)
    assert.deepEqual(await rowsOf('select gap_id from booktape.gaps where ended_at is null'), [])
  })
}

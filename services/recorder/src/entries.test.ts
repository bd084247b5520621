import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from '@booktape/journal'
import { ENTRY_KINDS, readEntry, type WrittenEvent, writeEntry } from './entries.ts'

const at = { wallNs: 1_790_732_600_123_456_789n, monoNs: 987_654_321_012_345_678n } // more than a float holds
const run = {
  runId: '6f9619ff-8b86-4d11-b42d-00cf4fc964ff',
  line: 'a',
  symbols: ['btcusd', 'gemi-pres2028-vance'],
  feeds: ['v1', 'ws'] as const,
  v1Url: 'wss://api.gemini.com/',
  wsUrl: 'wss://ws.gemini.com/',
  snapshotIntervalMs: 60_000,
}
const text = (payload: Uint8Array): string => new TextDecoder().decode(payload)
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content)

/** Each kind of event, its number on disk, and its payload as it stands there. */
const EVENTS: readonly (readonly [event: WrittenEvent, kind: number, payload: string])[] = [
  [
    { kind: 'started', at, run },
    1,
    '{"run":{"runId":"6f9619ff-8b86-4d11-b42d-00cf4fc964ff","line":"a","symbols":["btcusd","gemi-pres2028-vance"],"feeds":["v1","ws"],"v1Url":"wss://api.gemini.com/","wsUrl":"wss://ws.gemini.com/","snapshotIntervalMs":60000}}',
  ],
  [{ kind: 'stopped', at }, 2, ''],
  [{ kind: 'tick', at }, 3, ''],
  [
    { kind: 'dialing', at, connection: 7, session: 'v1:btcusd', sessionId: 'an id', url: 'wss://ws.gemini.com/' },
    4,
    '{"session":"v1:btcusd","sessionId":"an id","url":"wss://ws.gemini.com/"}',
  ],
  [{ kind: 'opened', at, connection: 7 }, 5, ''],
  [
    { kind: 'refused', at, connection: 7, refusal: { status: 429, retryAfterMs: 2_000, reason: 'too "many"' } },
    6,
    '{"refusal":{"status":429,"retryAfterMs":2000,"reason":"too \\"many\\""}}',
  ],
  [
    { kind: 'refused', at, connection: 7, refusal: { status: null, retryAfterMs: null, reason: 'no answer in time' } },
    6,
    '{"refusal":{"status":null,"retryAfterMs":null,"reason":"no answer in time"}}',
  ],
  [{ kind: 'closed', at, connection: 7, code: 1006, reason: '' }, 7, '{"code":1006,"reason":""}'],
  [{ kind: 'frame', at, connection: 7, messageSeq: 1, isBinary: false, payload: bytes('{"u":1}') }, 8, '{"u":1}'],
  [{ kind: 'frame', at, connection: 7, messageSeq: 4_294_967_295, isBinary: true, payload: bytes('') }, 9, ''],
  [{ kind: 'symbol_details', at, body: '{"symbol":"BTCUSD"} \u2603' }, 10, '{"symbol":"BTCUSD"} \u2603'],
  [
    { kind: 'trades_page', at, symbol: 'btcusd', status: 200, body: '[{"tid":2840141030659933}]' },
    11,
    '{"symbol":"btcusd","status":200,"body":"[{\\"tid\\":2840141030659933}]"}',
  ],
  [{ kind: 'suspended', at }, 12, ''],
  [{ kind: 'resumed', at }, 13, ''],
  [
    { kind: 'book_page', at, symbol: 'btcusd', status: 503, body: 'away' },
    14,
    '{"symbol":"btcusd","status":503,"body":"away"}',
  ],
]

for (const [event, kind, payload] of EVENTS) {
  test(`${event.kind} is entry kind ${kind}, and is read back as it was`, () => {
    const written = writeEntry(event)
    assert.equal(written.kind, kind)
    assert.equal(text(written.payload), payload)
    assert.deepEqual(readEntry({ position: 1, ...written }), event)
  })
}

test('every kind of entry is written by some event above, and no two share a number', () => {
  assert.deepEqual([...new Set(EVENTS.map(([, kind]) => kind))], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
  assert.deepEqual(Object.values(ENTRY_KINDS), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
})

test('the bytes of a frame stay as they came, be they text or not', () => {
  const payload = Uint8Array.from({ length: 256 }, (_, i) => i)
  const event: WrittenEvent = { kind: 'frame', at, connection: 1, messageSeq: 3, isBinary: false, payload }
  const read = readEntry({ position: 1, ...writeEntry(event) })
  assert.ok(read?.kind === 'frame')
  assert.deepEqual(read.payload, payload)
})

test('times are in the head of the entry, exact', () => {
  const { wallNs, monoNs } = writeEntry({ kind: 'tick', at })
  assert.equal(wallNs, 1_790_732_600_123_456_789n)
  assert.equal(monoNs, 987_654_321_012_345_678n)
})

const entry = (kind: number, payload: string): Entry => ({
  position: 1,
  kind,
  ...at,
  connection: 0,
  messageSeq: 0,
  payload: bytes(payload),
})

for (const kind of [0, 15, 255]) {
  test(`entry kind ${kind}, which only a later version can have written, is passed over`, () => {
    assert.equal(readEntry(entry(kind, 'whatever it holds')), null)
  })
}

for (const [content, complaint] of [
  ['null', /broken belief: the content of a journal entry is an object/],
  ['7', /broken belief: the content of a journal entry is an object/],
  ['{', SyntaxError],
] as const) {
  test(`an entry of ours that holds ${content} stops the process: the journal is not what we wrote`, () => {
    assert.throws(() => readEntry(entry(ENTRY_KINDS.closed, content)), complaint)
  })
}

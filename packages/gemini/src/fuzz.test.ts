import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PROTOCOL_VIOLATIONS, VenueProtocolError } from '@booktape/market'
import { decodeRestBook, decodeRestTrades } from './decode-rest.ts'
import { decodeSymbolDetails, decodeSymbols } from './decode-symbols.ts'
import { decodeV1 } from './decode-v1.ts'
import { readWs } from './frames.fixture.ts'

/** How many mutated frames: 200,000, or what BOOKTAPE_FUZZ says. The seed is fixed, so a failing run can be run again. */
const FRAMES = Number.parseInt(process.env['BOOKTAPE_FUZZ'] ?? '200000', 10)
const SEED = 20_260_930
/** Longer frames are left out, so that the work of a run is bounded by its count. */
const MAX_FRAME = 2_000

const DECIMAL = /^(?:0|[1-9]\d{0,17})(?:\.\d{0,17}[1-9])?$/
const SYMBOL = /^(?:[a-z0-9]{2,32}|gemi-[a-z0-9-]+)$/

// More than a million errors are made and none of their stacks is read; the frame that fails is in the message.
Error.stackTraceLimit = 0

test(`of ${FRAMES} mutated frames none gives anything but a sound message or a VenueProtocolError`, () => {
  const random = randomFrom(SEED)
  const frames = realFrames()
  const outcomes = new Map<string, number>()
  for (let i = 0; i < FRAMES; i++) {
    const frame = mutate(frames, random)
    const outcome = outcomeOf(frame)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  const total = [...outcomes.values()].reduce((sum, count) => sum + count, 0)
  assert.equal(total, FRAMES)
  // Each way out was taken, or the fuzz shows nothing. Depth and size have tests of their own; binary frames never get here.
  const expected = PROTOCOL_VIOLATIONS.filter((code) => code !== 'TOO_LARGE' && code !== 'BINARY_FRAME')
  for (const outcome of ['accepted', ...expected]) assert.ok(outcomes.has(outcome), `never ${outcome}`)
})

function outcomeOf(frame: string): string {
  try {
    decodeAll(frame)
    return 'accepted'
  } catch (error) {
    if (error instanceof VenueProtocolError) return error.code
    throw new Error(`the frame ${JSON.stringify(frame)}`, { cause: error })
  }
}

/** The first letter of the real frame no longer tells which reader it is for, so each takes its turn. */
function decodeAll(frame: string): void {
  const readers = [decodeV1, decodeRestBook, decodeRestTrades, decodeSymbols, decodeSymbolDetails]
  for (const read of readers) {
    try {
      read(frame)
    } catch (error) {
      if (!(error instanceof VenueProtocolError)) throw error
    }
  }
  const message = readWs(frame)
  if (message.kind === 'depth') {
    assert.match(message.symbol, SYMBOL)
    assert.ok(message.update.firstUpdateId <= message.update.lastUpdateId)
    for (const change of message.update.changes) {
      assert.match(change.price, DECIMAL)
      assert.match(change.quantity, DECIMAL)
    }
  }
  if (message.kind === 'trade') {
    assert.match(message.symbol, SYMBOL)
    assert.match(message.trade.price, DECIMAL)
    assert.match(message.trade.quantity, DECIMAL)
  }
  if (message.kind === 'book_ticker') {
    assert.match(message.symbol, SYMBOL)
    assert.match(message.top.bidPrice ?? '0', DECIMAL)
    assert.match(message.top.askQuantity ?? '0', DECIMAL)
  }
}

const HOSTILE = [
  '__proto__',
  'constructor',
  'null',
  '-1',
  '1e5',
  '1.5',
  '9223372036854775808',
  '""',
  '[]',
  '{}',
  '[[[[[[[[[',
  '\\ud800',
  '\\u0000',
  '"u":1,',
  ',',
  '"',
  '}',
  'NaN',
  '\u0000',
  '\ud800',
  '٣',
] as const

/** One to three of: a character changed, a span cut, a span doubled, hostile text put in or in place of a value, two frames joined. */
function mutate(frames: readonly string[], random: (below: number) => number): string {
  let frame = pick(frames, random)
  for (let rounds = random(3); rounds >= 0; rounds--) {
    const at = random(frame.length + 1)
    const end = Math.min(frame.length, at + 1 + random(12))
    switch (random(6)) {
      case 0:
        frame = frame.slice(0, at) + String.fromCharCode(random(128)) + frame.slice(at + 1)
        break
      case 1:
        frame = frame.slice(0, at) + frame.slice(end)
        break
      case 2:
        frame = frame.slice(0, end) + frame.slice(at)
        break
      case 3:
        frame = frame.slice(0, at) + pick(HOSTILE, random) + frame.slice(at)
        break
      case 4:
        frame = withValueReplaced(frame, at, pick(HOSTILE, random))
        break
      case 5: {
        const other = pick(frames, random)
        frame = frame.slice(0, at) + other.slice(random(other.length))
        break
      }
    }
  }
  return frame.slice(0, MAX_FRAME)
}

function withValueReplaced(frame: string, from: number, value: string): string {
  const colon = frame.indexOf(':', from)
  if (colon === -1) return frame
  const end = frame.slice(colon + 1).search(/[,}\]]/)
  return end === -1 ? frame : frame.slice(0, colon + 1) + value + frame.slice(colon + 1 + end)
}

function pick<T>(items: readonly T[], random: (below: number) => number): T {
  const item = items[random(items.length)]
  assert.ok(item !== undefined)
  return item
}

/** Mulberry32: 32 bits of state, the same numbers from the same seed everywhere. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Frames in the shapes of the wire, and the real ones where their folder is beside the repository. */
function realFrames(): string[] {
  const captures = new URL('../../../../shared/captures/', import.meta.url)
  if (!existsSync(captures)) return [...SHAPES]
  const read = (file: string) => readFileSync(new URL(file, captures), 'utf8').trim().split('\n')
  const examples = read('examples.jsonl').map((line) => line.slice(line.indexOf('"message":') + 10, -1))
  const stream = read('ws-production-2026-09-30.tsv').map((line) => line.slice(line.indexOf('\t') + 1))
  return [...SHAPES, ...examples, ...stream].filter((frame) => frame.length <= MAX_FRAME)
}

const SHAPES: readonly string[] = [
  '{"e":"depthUpdate","E":1790000000000000001,"s":"btcusd","U":100,"u":104,"b":[["1.50","2.00"]],"a":[["3","0.0"]]}',
  '{"u":104,"E":1790000000000000001,"s":"btcusd","b":"1.50","B":"2","a":"3.00","A":"4"}',
  '{"E":1790000000000000001,"s":"btcusd","t":7,"p":"1.5","q":"2","m":true}',
  '{"lastUpdateId":104,"symbol":"btcusd","bids":[["1.5","2"]],"asks":[]}',
  '{"id":4,"status":400,"error":{"code":-1013,"msg":"Invalid stream name"}}',
  '{"type":"update","eventId":9,"timestampms":1790000000000,"socket_sequence":1,"events":[{"type":"change","side":"bid","price":"1","remaining":"2","delta":"-1","reason":"place"}]}',
  '{"type":"update","eventId":9,"timestampms":1790000000000,"socket_sequence":2,"events":[{"type":"trade","tid":9,"price":"1","amount":"2","makerSide":"bid"}]}',
  '[{"timestampms":1790000000000,"tid":7,"price":"1","amount":"2","type":"buy","broken":true}]',
  '{"bids":[{"price":"1","amount":"2"}],"asks":[{"price":"3","amount":"4"}]}',
  '["btcusd","ethusd"]',
]

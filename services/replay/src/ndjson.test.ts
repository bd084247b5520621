import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventLine, type TapeEvent, type TapeTrade } from '@booktape/client'
import { ndjson } from './ndjson.ts'
import type { Pace } from './pacer.ts'
import { at, book, gap, message, START_NS, trade } from './tape.fixture.ts'

for (const [event, line] of [
  [
    book('v1', 100, 0, [['10', '1']], [['11', '2']]),
    '{"kind":"book","symbol":"btcusd","feed":"v1","line":"a","epoch_id":"epoch of 100","message_seq":1,"update_id":"100",' +
      '"event_time_ns":null,"received_time_ns":"1790732602000000000","bids":[["10","1"]],"asks":[["11","2"]]}',
  ],
  [
    message('v1', [101, 101], 1, [
      ['bid', '10', '0', 'cancel'],
      ['ask', '11', '2.000000000000000001'],
    ]),
    '{"kind":"book_message","symbol":"btcusd","feed":"v1","line":"a","epoch_id":"epoch","message_seq":101,' +
      '"first_update_id":"101","update_id":"101","event_time_ns":"1790732603000000000","received_time_ns":"1790732603000000000",' +
      '"changes":[["bid","10","0","cancel"],["ask","11","2.000000000000000001",null]]}',
  ],
  [
    trade(7, 1, 'sell', '10', '0.5'),
    '{"kind":"trade","symbol":"btcusd","trade_id":"7","event_time_ns":"1790732603000000000",' +
      '"received_time_ns":"1790732603000000000","price":"10","quantity":"0.5","taker_side":"sell","source":"ws","line":"a","broken":false}',
  ],
  [
    gap('ws', 1, 2, 'disconnect'),
    '{"kind":"gap","symbol":"btcusd","feed":"ws","from_ns":"1790732603000000000","to_ns":"1790732604000000000",' +
      '"causes":["disconnect"]}',
  ],
] as const) {
  test(`a ${event.kind} is one line of JSON`, () => {
    assert.equal(eventLine(event), `${line}\n`)
    assert.doesNotThrow(() => JSON.parse(line) as unknown)
  })
}

/** A clock whose sleeps pass at once, and are remembered in milliseconds. */
function fastClock() {
  const slept: number[] = []
  let nowNs = 0n
  return {
    slept,
    clock: {
      monoNs: () => nowNs,
      wallNs: () => nowNs,
      sleep: async (ms: number) => {
        slept.push(ms)
        nowNs += BigInt(Math.round(ms * 1e6))
      },
    },
  }
}

async function* pages(...events: TapeEvent[]): AsyncGenerator<readonly TapeEvent[]> {
  yield events
}

for (const [pace, slept, parts] of [
  ['full', [], 1],
  [1, [1000, 500], 3],
  [10, [100, 50], 3],
] as const satisfies readonly (readonly [Pace, readonly number[], number])[]) {
  test(`at pace ${pace} each event comes in its time`, async () => {
    const { clock, slept: found } = fastClock()
    const trades: TapeTrade[] = [
      trade(1, 0, 'buy', '1', '1'),
      trade(2, 1, 'buy', '1', '1'),
      trade(3, 1.5, 'buy', '1', '1'),
    ]
    const tape = { pages: () => pages(...trades), events: () => assert.fail(), close: () => assert.fail() }
    const texts: string[] = []
    const question = { symbols: ['btcusd'], from: START_NS, to: at(9) }
    for await (const text of ndjson({ tape, question, pace, clock, signal: new AbortController().signal }))
      texts.push(text)
    assert.deepEqual(found, slept)
    assert.equal(texts.length, parts)
    assert.equal(texts.join(''), trades.map(eventLine).join(''))
  })
}

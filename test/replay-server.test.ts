import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareRecordings, countOf, recordReplay, startFaultyRecording } from './replayed-recording.ts'

const MESSAGES = 1_500

test('a recording that is replayed over sockets into a second recorder is recorded as it was', async (t) => {
  const { recording: first, suffer, stop } = await startFaultyRecording({ symbols: 3, rate: 10 })
  t.after(() => first.close())
  try {
    await suffer({ fault: 'drop', feed: 'ws', kind: 'depth', symbol: 'btcusd' }) // lost by its ids
    await suffer({ fault: 'drop', feed: 'v1', symbol: 'ethusd' }) // by its sequence
    await suffer({ fault: 'close', feed: 'v1', symbol: 'btcusd' })
    await suffer({ fault: 'close', feed: 'ws' })
    await first.until(async () => (await countOf(first, 'booktape.book_messages')) >= MESSAGES)
  } finally {
    await stop()
  }
  const { second } = await recordReplay(first, 'full')
  t.after(() => second.close())
  const equal = await compareRecordings(first, second, 40)
  t.diagnostic(JSON.stringify(equal))
  assert.equal(equal['epochs'], 12)
  assert.ok((equal['messages'] ?? 0) >= MESSAGES)
  assert.ok((equal['trades'] ?? 0) > 0)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LINE_NS, Progress, REDRAW_NS } from './progress.ts'

function progressOn(output: { isTTY?: boolean; columns?: number }) {
  const written: string[] = []
  const time = { ns: 5_000_000_000n }
  const progress = new Progress({
    output: { ...output, write: (text) => written.push(text) },
    monoNs: () => time.ns,
    unit: 'changes',
  })
  return { progress, written, time }
}

test('on a terminal the bar is drawn over itself, with rate and time left, and taken away', () => {
  const { progress, written, time } = progressOn({ isTTY: true, columns: 200 })
  progress.show('btcusd', { done: 1n, total: 4n, count: 10 })
  assert.deepEqual(written, [], 'what ends at once shows nothing')
  time.ns += 2_000_000_000n
  progress.show('btcusd', { done: 1n, total: 4n, count: 3_000_000 })
  time.ns += REDRAW_NS - 1n
  progress.show('btcusd', { done: 2n, total: 4n, count: 4_000_000 })
  time.ns += 398_000_000_001n
  progress.show('btcusd', { done: 4n, total: 8n, count: 4_002_000 })
  progress.end()
  progress.end()
  assert.deepEqual(written, [
    '\r\u001b[K[######                  ]  25 %  btcusd  3,000,000 changes, 1,500,000/s, 6 s left',
    '\r\u001b[K[############            ]  50 %  btcusd  4,002,000 changes, 10,000/s, 6 min 40 s left',
    '\r\u001b[K',
  ])
})

test('a line is never wider than the terminal, where it could not be drawn over', () => {
  const { progress, written, time } = progressOn({ isTTY: true, columns: 20 })
  time.ns += REDRAW_NS
  progress.show('btcusd', { done: 0n, total: 4n, count: 0 })
  assert.deepEqual(written, ['\r\u001b[K[                  '])
})

test('without a terminal there is a line each ten seconds and no control character', () => {
  const { progress, written, time } = progressOn({})
  time.ns += LINE_NS - 1n
  progress.show('btcusd', { done: 1n, total: 10_000n, count: 1 })
  time.ns += 1n
  progress.show('btcusd', { done: 10n, total: 10_000n, count: 50 })
  progress.end()
  assert.deepEqual(written, ['[                        ]   0 %  btcusd  50 changes, 5/s, 2 h 46 min left\n'])
})

test('a sentence takes the bar away first', () => {
  const { progress, written, time } = progressOn({ isTTY: true, columns: 20 })
  time.ns += REDRAW_NS
  progress.show('btcusd', { done: 0n, total: 4n, count: 0 })
  progress.say('done')
  assert.deepEqual(written.slice(1), ['\r\u001b[K', 'done\n'])
})

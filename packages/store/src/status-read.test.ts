import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from './database.ts'
import { testRecording } from './recording.fixture.ts'
import { readStatus } from './status-read.ts'

test('readStatus tells of each symbol and feed what is live, stored and missing', async () => {
  const recording = await testRecording()
  const database = openDatabase(recording.url, { applicationName: 'test', max: 1 })
  const empty = await readStatus(database)
  assert.deepEqual(empty.feeds, [])
  assert(empty.databaseBytes > 1_000_000n)

  const a = await recording.journal('a', 'a', `'2126-03-01T12:00:00.000001Z'`)
  const b = await recording.journal('b', 'b', '11:00:00')
  const ended = await recording.epoch('ended', { journal: b, line: 'b', from: '10:00:00', to: '10:00:10' })
  await recording.snapshot(ended, '10:00:00', 1, { bids: [], asks: [] })
  await recording.message(ended, '10:00:05.123456', 2, [])
  const gap = await recording.gap('lost', { journal: b, line: 'b', from: '10:00:10' })
  await recording.gap('mended', { journal: b, line: 'b', from: '09:00:00', to: '10:00:00' })
  await recording.epoch('live', { journal: a, from: '10:00:05' })
  const ws = await recording.epoch('ws', { feed: 'ws', symbol: 'ethusd', journal: b, line: 'b', from: '10:00:00' })
  await recording.snapshot(ws, '10:00:01', 1, { bids: [], asks: [] })
  const { feeds } = await readStatus(database)
  assert.deepEqual(feeds, [
    {
      symbol: 'btcusd',
      feed: 'v1',
      liveLines: ['a'],
      recordedUntil: '2126-03-01 12:00:00.000001+00',
      lastReceived: '2026-03-01 10:00:05.123456+00',
      epochs: 2n,
      openGaps: [{ gapId: gap, line: 'b', stream: 'book', cause: 'disconnect', startedAt: '2026-03-01 10:00:10+00' }],
    },
    {
      symbol: 'ethusd',
      feed: 'ws',
      liveLines: [],
      recordedUntil: '2026-03-01 11:00:00+00',
      lastReceived: '2026-03-01 10:00:01+00',
      epochs: 1n,
      openGaps: [],
    },
  ])
  await database.close()
  await recording.close()
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCoverage } from './coverage-read.ts'
import { openDatabase } from './database.ts'
import { testRecording } from './recording.fixture.ts'

const ms = (time: string): number => Date.parse(`2026-03-01T${time}Z`)

test('readCoverage gives the spans that no line knows, and what each line says of its own', async () => {
  const recording = await testRecording()
  const a = await recording.journal('a', 'a', '23:00:00')
  const b = await recording.journal('b', 'b', '23:00:00')
  // Line b has the first half of what line a missed.
  await recording.epoch('a1', { journal: a, from: '10:00:00', to: '11:00:00' })
  await recording.gap('a-gap', { journal: a, from: '11:00:00', to: '11:00:10.5' })
  await recording.epoch('a2', { journal: a, from: '11:00:10.5', to: '12:00:00' })
  await recording.gap('a-open', { journal: a, from: '12:00:00' })
  await recording.epoch('b1', { journal: b, line: 'b', from: '10:30:00', to: '11:00:05' })
  await recording.gap('b-open', { journal: b, line: 'b', from: '11:00:05' })
  await recording.epoch('ws', { journal: a, feed: 'ws', from: '09:00:00', to: '22:00:00' })

  const database = openDatabase(recording.url, { applicationName: 'test', max: 1 })
  const books = [
    { symbol: 'btcusd', feed: 'v1' },
    { symbol: 'btcusd', feed: 'ws' },
    { symbol: 'nosuch', feed: 'ws' },
  ]
  const asked = { books, fromMs: ms('09:30:00'), toMs: ms('13:00:00'), timeoutMs: 10_000 }
  const found = await readCoverage(database, asked)
  const v1 = { symbol: 'btcusd', feed: 'v1' }
  assert.deepEqual(found, {
    uncovered: [
      { ...v1, state: 'off', fromMs: ms('09:30:00'), toMs: ms('10:00:00') },
      { ...v1, state: 'gap', fromMs: ms('11:00:05'), toMs: ms('11:00:10.5') },
      { ...v1, state: 'gap', fromMs: ms('12:00:00'), toMs: ms('13:00:00') },
      { symbol: 'nosuch', feed: 'ws', state: 'off', fromMs: ms('09:30:00'), toMs: ms('13:00:00') },
    ],
    missed: [
      { ...v1, line: 'a', cause: 'disconnect', fromMs: ms('11:00:00'), toMs: ms('11:00:10.5') },
      { ...v1, line: 'b', cause: 'disconnect', fromMs: ms('11:00:05'), toMs: null },
      { ...v1, line: 'a', cause: 'disconnect', fromMs: ms('12:00:00'), toMs: null },
    ],
    isWhole: true,
  })

  // A database that takes too long is given up, and says so.
  await recording.client.query('begin; lock table booktape.epochs in access exclusive mode')
  await assert.rejects(readCoverage(database, { ...asked, timeoutMs: 20 }), { name: 'StoreError', code: 'AWAY' })
  await recording.client.query('rollback')
  assert.equal((await readCoverage(database, asked)).missed.length, 3)
  await database.close()
  await recording.close()
})

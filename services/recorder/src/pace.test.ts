import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PACE_EVERY_MS, PACE_SAMPLES, Pace } from './pace.ts'

const at = (ms: number) => ({ wallNs: BigInt(ms) * 1_000_000n, monoNs: BigInt(ms) * 1_000_000n })
const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n

test('each sample has the slowest message since the one before, and keeps it while nothing comes', () => {
  const pace = new Pace()
  pace.tick(at(0), 3, null)
  pace.committed(40)
  pace.committed(90)
  pace.committed(60)
  pace.tick(at(250), 1, ns(200)) // too early for another sample
  pace.tick(at(2_000), 1, ns(1_900))
  pace.tick(at(4_000), 0, ns(3_900))
  assert.deepEqual(pace.look(), { everyMs: PACE_EVERY_MS, atMs: 4_000, lagMs: [null, 90, 90], backlog: [3, 1, 0] })
})

test('while the database takes nothing, the lag is the age of what it has', () => {
  const pace = new Pace()
  pace.committed(50)
  for (const ms of [2_000, 4_000, 6_000, 8_000]) pace.tick(at(ms), ms, ns(1_900))
  assert.deepEqual(pace.look().lagMs, [50, 50, 4_100, 6_100])
})

test('it remembers ten minutes', () => {
  const pace = new Pace()
  for (let i = 0; i < 2 * PACE_SAMPLES; i++) pace.tick(at(i * PACE_EVERY_MS), i, null)
  const { backlog, lagMs } = pace.look()
  assert.deepEqual([backlog.length, lagMs.length, backlog[0]], [PACE_SAMPLES, PACE_SAMPLES, PACE_SAMPLES])
})

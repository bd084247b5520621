import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from './fake-clock.ts'

test('time stands still until it is advanced, and both clocks advance together', async () => {
  const clock = fakeClock({ wallNs: 1_000_000_000_000_000_000n })
  const startNs = clock.monoNs()
  assert.equal(clock.wallNs(), 1_000_000_000_000_000_000n)
  await clock.advance(1500)
  assert.equal(clock.monoNs() - startNs, 1_500_000_000n)
  assert.equal(clock.wallNs(), 1_000_000_001_500_000_000n)
})

test('a step of the wall clock is not seen by the monotonic one', () => {
  const clock = fakeClock({ wallNs: 1_000_000_000_000_000_000n })
  const startNs = clock.monoNs()
  clock.stepWall(-3_600_000)
  assert.equal(clock.wallNs(), 999_996_400_000_000_000n)
  assert.equal(clock.monoNs(), startNs)
})

test('sleepers wake in the order of their times, each at its own, also those who sleep again', async () => {
  const clock = fakeClock()
  const startNs = clock.monoNs()
  const woken: [string, bigint][] = []
  async function sleeper(name: string, ...naps: readonly number[]): Promise<void> {
    for (const ms of naps) {
      await clock.sleep(ms)
      woken.push([name, (clock.monoNs() - startNs) / 1_000_000n])
    }
  }
  const all = [sleeper('late', 30), sleeper('twice', 10, 15), sleeper('never', 1000)]
  assert.equal(clock.sleeping(), 3)
  await clock.advance(30)
  assert.deepEqual(woken, [
    ['twice', 10n],
    ['twice', 25n],
    ['late', 30n],
  ])
  assert.equal(clock.sleeping(), 1)
  await clock.advance(970)
  await Promise.all(all)
  assert.deepEqual(woken[3], ['never', 1000n])
})

test('a sleep whose signal fires rejects with an AbortError and leaves nobody asleep', async () => {
  const clock = fakeClock()
  const abort = new AbortController()
  const sleep = clock.sleep(10, abort.signal)
  abort.abort()
  await assert.rejects(sleep, { name: 'AbortError' })
  await assert.rejects(clock.sleep(10, abort.signal), { name: 'AbortError' })
  assert.equal(clock.sleeping(), 0)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clockFrom, systemClock } from './clock.ts'

const MS = 1_000_000n

/** A counter that started at 5 ms when the date was 1,000.4 ms, both moving with `time.ns`. */
function sourceAt(time: { ns: bigint; steppedMs: number }): Parameters<typeof clockFrom>[0] {
  return {
    hrtimeNs: () => 5n * MS + time.ns,
    dateMs: () => Number((1000n * MS + 400_000n + time.ns) / MS) + time.steppedMs,
  }
}

test('wall time moves between the ticks of the date', () => {
  const time = { ns: 0n, steppedMs: 0 }
  const clock = clockFrom(sourceAt(time))
  assert.equal(clock.wallNs(), 1_000_000_000n)
  time.ns = 100_000n
  assert.equal(clock.wallNs(), 1_000_100_000n)
})

test('wall time finds the fraction of the date at its next tick, and keeps it', () => {
  const time = { ns: 0n, steppedMs: 0 }
  const clock = clockFrom(sourceAt(time))
  time.ns = 600_000n // the date ticks: 1,001.0 ms exactly
  assert.equal(clock.wallNs(), 1_001_000_000n)
  time.ns = 5_700_001n
  assert.equal(clock.wallNs(), 1_006_100_001n)
})

for (const [name, steppedMs, expected] of [
  ['forward an hour', 3_600_000, 3_601_001_000_000n],
  ['back an hour', -3_600_000, -3_598_999_000_000n + 999_999n],
  ['forward five milliseconds', 5, 1_006_000_000n],
] as const) {
  test(`a clock set ${name} is followed at the next reading, to the millisecond`, () => {
    const time = { ns: 600_000n, steppedMs: 0 }
    const clock = clockFrom(sourceAt(time))
    assert.equal(clock.wallNs(), 1_001_000_000n)
    time.steppedMs = steppedMs
    assert.equal(clock.wallNs(), expected)
    assert.equal(clock.monoNs(), 5_600_000n)
  })
}

test('a reading that was interrupted does not move the wall clock', () => {
  const readings = [0n, 10n * MS, 40n * MS, 40n * MS, 40n * MS] // the second reading is cut in two by 30 ms
  const dates = [1000, 1040, 1040]
  const clock = clockFrom({ hrtimeNs: () => readings.shift() ?? 40n * MS, dateMs: () => dates.shift() ?? 1040 })
  assert.equal(clock.wallNs(), 1_040_000_000n)
  assert.equal(clock.wallNs(), 1_040_000_000n)
})

test('the system clock agrees with the date and its monotonic time never goes back', () => {
  const clock = systemClock()
  const before = BigInt(Date.now()) * MS
  const wallNs = clock.wallNs()
  const after = BigInt(Date.now() + 1) * MS
  assert.ok(before <= wallNs && wallNs <= after, `${before} <= ${wallNs} <= ${after}`)
  let last = clock.monoNs()
  for (let i = 0; i < 1000; i++) {
    const now = clock.monoNs()
    assert.ok(now >= last)
    last = now
  }
})

test('a sleep ends early with an AbortError when its signal fires', async () => {
  const abort = new AbortController()
  const sleep = systemClock().sleep(3_600_000, abort.signal)
  abort.abort()
  await assert.rejects(sleep, { name: 'AbortError' })
})

test('a sleep longer than a timer can hold does not end at once', async () => {
  const abort = new AbortController()
  let ended = false
  const sleep = systemClock()
    .sleep(2 ** 40, abort.signal)
    .then(() => {
      ended = true
    })
  await systemClock().sleep(2) // Node fires an overflowing timer after 1 ms
  assert.equal(ended, false)
  abort.abort()
  await assert.rejects(sleep, { name: 'AbortError' })
})

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Budget, createVenueBudgets, TokenBucket } from './dial-budget.ts'

for (const [name, rule, asked] of [
  [
    'a burst at once, then one a second',
    { perMinute: 60, burst: 3 },
    [
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 1000],
      [999, 1],
      [1000, 0],
      [1000, 1000],
      [2500, 0],
      [2500, 500],
    ],
  ],
  [
    'a rest fills it again, and no further than the burst',
    { perMinute: 60, burst: 2 },
    [
      [0, 0],
      [0, 0],
      [0, 1000],
      [3_600_000, 0],
      [3_600_000, 0],
      [3_600_000, 1000],
    ],
  ],
  [
    'no burst: a fixed distance',
    { perMinute: 120, burst: 1 },
    [
      [10, 0],
      [10, 500],
      [510, 0],
      [600, 410],
    ],
  ],
  [
    'a rate that does not divide a minute is rounded to the slower side',
    { perMinute: 7, burst: 1 },
    [
      [0, 0],
      [0, 8572],
      [8571, 1],
      [8572, 0],
    ],
  ],
] as const) {
  test(`a bucket: ${name}`, () => {
    const bucket = new TokenBucket(rule)
    for (const [nowMs, waitMs] of asked) assert.equal(bucket.takeAt(nowMs), waitMs, `at ${nowMs} ms`)
  })
}

test('asking how long takes nothing', () => {
  const bucket = new TokenBucket({ perMinute: 60, burst: 1 })
  assert.equal(bucket.waitAt(0), 0)
  assert.equal(bucket.waitAt(0), 0)
  assert.equal(bucket.takeAt(0), 0)
  assert.equal(bucket.waitAt(400), 600)
})

test('a storm of 350 dials passes ten at once and then one a second, in order', async (t) => {
  const time = fakeTime(t)
  const { dials } = createVenueBudgets({ dialsPerMinute: 60, clock: time.clock })
  const granted: number[] = []
  const keep = new AbortController()
  for (let i = 0; i < 350; i++) void dials.acquire(keep.signal).then(() => granted.push(i))
  await time.pass(0)
  assert.deepEqual(granted, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  assert.equal(dials.waiting, 340)
  await time.pass(999)
  assert.equal(granted.length, 10)
  await time.pass(1)
  assert.deepEqual(granted.slice(10), [10])
  for (let second = 2; second <= 60; second++) await time.pass(1000)
  assert.equal(granted.length, 70)
  for (let second = 61; second <= 340; second++) await time.pass(1000)
  assert.deepEqual(
    granted,
    Array.from({ length: 350 }, (_, i) => i),
  )
  assert.equal(dials.waiting, 0)
})

test('no setting dials faster than the venue allows', async (t) => {
  const time = fakeTime(t)
  const { dials } = createVenueBudgets({ dialsPerMinute: 6000, clock: time.clock })
  let granted = 0
  const keep = new AbortController()
  for (let i = 0; i < 20; i++) void dials.acquire(keep.signal).then(() => granted++)
  await time.pass(0)
  await time.pass(1000)
  assert.equal(granted, 11)
})

test('who gives up leaves the queue and costs nothing; the next moves up', async (t) => {
  const time = fakeTime(t)
  const budget = new Budget({ bucket: new TokenBucket({ perMinute: 60, burst: 1 }), clock: time.clock })
  const granted: string[] = []
  const keep = new AbortController()
  const leave = new AbortController()
  await budget.acquire(keep.signal)
  const left = budget.acquire(leave.signal)
  void budget.acquire(keep.signal).then(() => granted.push('after'))
  assert.equal(budget.waiting, 2)
  leave.abort(new Error('stopping'))
  await assert.rejects(left, { message: 'stopping' })
  assert.equal(budget.waiting, 1)
  await time.pass(1000)
  assert.deepEqual(granted, ['after'])
})

test('a signal already aborted is refused at once and costs nothing', async (t) => {
  const time = fakeTime(t)
  const budget = new Budget({ bucket: new TokenBucket({ perMinute: 60, burst: 1 }), clock: time.clock })
  await assert.rejects(budget.acquire(AbortSignal.abort(new Error('stopped'))), { message: 'stopped' })
  await budget.acquire(new AbortController().signal)
  assert.equal(budget.waiting, 0)
})

test('an abort after the turn has come changes nothing', async (t) => {
  const time = fakeTime(t)
  const budget = new Budget({ bucket: new TokenBucket({ perMinute: 60, burst: 1 }), clock: time.clock })
  const late = new AbortController()
  await budget.acquire(late.signal)
  late.abort()
  assert.equal(budget.waiting, 0)
})

test('two budgets with a shared bucket together keep to its rate', async (t) => {
  const time = fakeTime(t)
  const shared = new TokenBucket({ perMinute: 60, burst: 2 })
  const one = new Budget({ bucket: new TokenBucket({ perMinute: 60, burst: 5 }), shared, clock: time.clock })
  const other = new Budget({ bucket: new TokenBucket({ perMinute: 60, burst: 5 }), shared, clock: time.clock })
  const keep = new AbortController()
  let granted = 0
  for (const budget of [one, other, one, other, one]) void budget.acquire(keep.signal).then(() => granted++)
  await time.pass(0)
  assert.equal(granted, 2)
  await time.pass(1000)
  assert.equal(granted, 3)
  await time.pass(1000)
  assert.equal(granted, 4)
  await time.pass(1000)
  assert.equal(granted, 5)
})

/** A monotonic clock and the timers, both moved by hand; `pass` also lets what was granted be seen. */
function fakeTime(t: TestContext): { clock: { monoNs(): bigint }; pass: (ms: number) => Promise<void> } {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let nowMs = 5_000n
  return {
    clock: { monoNs: () => nowMs * 1_000_000n },
    async pass(ms) {
      nowMs += BigInt(ms)
      t.mock.timers.tick(ms)
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

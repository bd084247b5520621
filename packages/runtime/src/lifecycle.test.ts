import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { assertNode, type Lifecycle, type LifecycleOptions, watchLifecycle } from './lifecycle.ts'
import { ConfigError } from './settings.ts'

class FakeProcess extends EventEmitter {
  readonly exited = Promise.withResolvers<number>()
  exit(code: number): void {
    this.exited.resolve(code)
  }
}

type Watched = Readonly<{ lifecycle: Lifecycle; process: FakeProcess; said: string[]; time: { ns: bigint } }>

function watch(options: Partial<LifecycleOptions> = {}): Watched {
  const process = new FakeProcess()
  const said: string[] = []
  const time = { ns: 0n }
  const log = {
    stop: (sentence: string) => void said.push(sentence),
    fatal: (error: unknown, sentence: string) => void said.push(`${String(error)} | ${sentence}`),
  }
  const clock = { monoNs: () => time.ns, wallNs: () => time.ns, sleep: () => Promise.resolve() }
  return { lifecycle: watchLifecycle({ log, process, clock, ...options }), process, said, time }
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} asks for a stop, once; the same signal later asks to hurry`, () => {
    const { lifecycle, process, said, time } = watch()
    process.emit(signal, signal)
    assert.equal(lifecycle.stopping.aborted, true)
    time.ns = 499_000_000n
    process.emit(signal, signal) // npm passes on what the terminal already sent
    assert.equal(lifecycle.hurrying.aborted, false)
    time.ns = 500_000_000n
    process.emit(signal, signal)
    process.emit(signal, signal)
    assert.equal(lifecycle.hurrying.aborted, true)
    assert.deepEqual(said, [`${signal}: stopping`, `${signal} again: hurrying`])
    lifecycle.close()
    assert.equal(process.listenerCount(signal), 0)
  })
}

test('a stop that does not finish in time ends the process with code 1', async () => {
  const { lifecycle, process, said } = watch({ deadlineMs: 1 })
  lifecycle.stop('asked')
  assert.equal(await process.exited.promise, 1)
  assert.match(said[1] ?? '', /^the stop did not finish within 1 ms/)
  lifecycle.close()
})

for (const bug of ['uncaughtException', 'unhandledRejection']) {
  test(`${bug} is logged, the last deed is done, and the process ends with code 70`, async () => {
    const deeds: string[] = []
    const { lifecycle, process, said } = watch({
      lastDeed: async () => {
        await Promise.resolve()
        deeds.push('synced')
      },
    })
    process.emit(bug, new Error('broken'))
    process.emit(bug, new Error('another'))
    assert.equal(await process.exited.promise, 70)
    assert.deepEqual(deeds, ['synced'])
    assert.deepEqual(said, ['Error: broken | a bug stopped this process; the next start continues from the journal'])
    lifecycle.close()
  })
}

test('a last deed that fails is logged and changes nothing', async () => {
  const { lifecycle, process, said } = watch({ lastDeed: () => Promise.reject(new Error('disk full')) })
  process.emit('uncaughtException', new Error('broken'))
  assert.equal(await process.exited.promise, 70)
  assert.equal(said[1], 'Error: disk full | the last deed failed')
  lifecycle.close()
})

for (const [name, version, env, expected] of [
  ['Node 20', 'v20.20.2', {}, /^Node v20\.20\.2 is too old for booktape: start it by npm or npx/],
  ['no TLS verification', 'v24.1.0', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, /^NODE_TLS_REJECT_UNAUTHORIZED is 0/],
] as const) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => assertNode(version, env),
      (error: unknown) => error instanceof ConfigError && expected.test(error.message),
    )
  })
}

test('Node 24 and newer are accepted', () => {
  assertNode('v24.0.0', {})
  assertNode('v26.1.0', { NODE_TLS_REJECT_UNAUTHORIZED: '1' })
})

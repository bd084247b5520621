import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linkSignals } from './linked-signal.ts'

for (const first of [0, 1]) {
  test(`it is aborted with signal ${first + 1} of two`, () => {
    const controllers = [new AbortController(), new AbortController()]
    const { signal } = linkSignals(...controllers.map((controller) => controller.signal))
    assert.equal(signal.aborted, false)
    controllers[first]?.abort()
    assert.equal(signal.aborted, true)
  })
}

test('it is aborted from the beginning where one is already', () => {
  assert.equal(linkSignals(new AbortController().signal, AbortSignal.abort()).signal.aborted, true)
})

test('once released it follows no signal any more', () => {
  const controller = new AbortController()
  const { signal, release } = linkSignals(controller.signal)
  release()
  controller.abort()
  assert.equal(signal.aborted, false)
})

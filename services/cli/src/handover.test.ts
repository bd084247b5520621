import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError } from '@booktape/runtime'
import { fakeClock } from '@booktape/testkit'
import { HandoverError, handover, readHandoverSettings } from './handover.ts'

const PEER = 'http://recorder-b-0.recorder-b:9464/readyz'

describe('before a recorder is stopped', () => {
  test('without a peer nothing is waited for', async () => {
    const settings = readHandoverSettings({})
    assert.equal(settings.peerUrl, null)
    await handover(settings, fakeClock(), () => assert.fail('nobody is asked'))
  })

  // Each letter is what the peer is for a second: R ready, - not.
  for (const [name, peer, stable, endsAfterS] of [
    ['a peer that is ready lets it go after the time it must be stable', 'RRRRRRRR', '3s', 3],
    ['a peer that comes is waited for, and then as long', '--RRRRRR', '3s', 5],
    ['a peer that goes meanwhile counts from its return', 'RR--RRRR', '3s', 7],
  ] as const) {
    test(name, async () => {
      assert.equal(await secondsUntilItEnds(peer, stable, '60s'), endsAfterS)
    })
  }

  test('a peer that never comes is given up, with a sentence', async () => {
    await assert.rejects(secondsUntilItEnds('-', '3s', '5s'), (error: unknown) => {
      assert.ok(error instanceof HandoverError)
      assert.equal(error.message, `${PEER} was not ready for 3 s within 5 s: stopping without it leaves a gap`)
      return true
    })
  })

  test('of two lines that stop at once the one with the shorter time goes, the other waits until it is back', async () => {
    const clock = fakeClock()
    let isARecording = true
    const stops: string[] = []
    const stop = async (line: string, stable: string, ask: () => boolean): Promise<void> => {
      await handover(settingsOf(stable, '240s'), clock, async () => ask())
      stops.push(line)
    }
    const b = stop('b', '30s', () => isARecording)
    const a = stop('a', '1s', () => true).then(() => {
      isARecording = false
    })
    await clock.advance(60_000)
    await a
    assert.deepEqual(stops, ['a'])
    isARecording = true
    await clock.advance(29_000)
    assert.deepEqual(stops, ['a'])
    await clock.advance(2_000)
    await b
    assert.deepEqual(stops, ['a', 'b'])
  })

  for (const [name, env, problem] of [
    [
      'no address',
      { BOOKTAPE_PEER_URL: 'recorder-b:9464' },
      'BOOKTAPE_PEER_URL must look like http://host:9464/readyz.',
    ],
    [
      'a time that never ends',
      { BOOKTAPE_PEER_STABLE: '240s' },
      'BOOKTAPE_PEER_STABLE must be shorter than BOOKTAPE_PEER_PATIENCE.',
    ],
  ] as const) {
    test(`${name} is refused`, () => {
      assert.throws(() => readHandoverSettings(env), new ConfigError([problem]))
    })
  }
})

const settingsOf = (stable: string, patience: string) =>
  readHandoverSettings({
    BOOKTAPE_PEER_URL: PEER,
    BOOKTAPE_PEER_STABLE: stable,
    BOOKTAPE_PEER_PATIENCE: patience,
  })

/** Rounded: the peer is asked five times a second. */
async function secondsUntilItEnds(peer: string, stable: string, patience: string): Promise<number> {
  const clock = fakeClock()
  const beganNs = clock.monoNs()
  const seconds = (): number => Number(clock.monoNs() - beganNs) / 1e9
  const waiting = handover(settingsOf(stable, patience), clock, async (url) => {
    assert.equal(url, PEER)
    return (peer[Math.floor(seconds())] ?? peer.at(-1)) === 'R'
  })
  const ended = waiting.then(seconds)
  ended.catch(() => undefined) // looked at below
  await clock.advance(LONG_ENOUGH_MS)
  return Math.round(await ended)
}

const LONG_ENOUGH_MS = 60_000

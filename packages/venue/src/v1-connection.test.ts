import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Surroundings } from './connection.ts'
import { readV1Options, V1Connection } from './v1-connection.ts'

const UNDISTURBED: Surroundings = {
  faults: { isArmed: false, pass: () => [] },
  isMuted: () => false,
  after: () => undefined,
}

const BOOK = { lastUpdateId: 5n, lastTimeNs: 0n, bids: () => [['10', '1']] as const, asks: () => [] }

function connected(query: string): V1Connection {
  return new V1Connection(1, 'btcusd', readV1Options(new URLSearchParams(query)), 0, UNDISTURBED)
}

test('the book comes first, and every message counts in one sequence', () => {
  const connection = connected('heartbeat=true')
  connection.begin(BOOK)
  connection.onBeat()
  connection.skipOne()
  connection.onEvent({ eventId: 6n, timeNs: null, elements: [] }, BOOK)
  assert.deepEqual(connection.takeFrames(), [
    '{"eventId":5,"events":[{"delta":"1","price":"10","reason":"initial","remaining":"1","side":"bid","type":"change"}],' +
      '"socket_sequence":0,"type":"update"}',
    '{"socket_sequence":1,"type":"heartbeat"}',
    '{"eventId":6,"events":[],"socket_sequence":3,"type":"update"}',
  ])
})

test('who does not ask for heartbeats gets none, and no number is used up', () => {
  const connection = connected('')
  connection.begin(BOOK)
  connection.takeFrames()
  connection.onBeat()
  connection.onEvent({ eventId: 6n, timeNs: null, elements: [] }, BOOK)
  assert.match(connection.takeFrames().join(), /"socket_sequence":1,/)
})

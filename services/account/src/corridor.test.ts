import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AccountCorridor } from './corridor.ts'
import { ACK } from './stream.fixture.ts'
import type { StreamOrder } from './stream.ts'

const at = (seconds: number) => ({ wallNs: BigInt(seconds) * 1_000_000_000n, monoNs: BigInt(seconds) * 1_000_000_000n })

function bench() {
  const kinds: number[] = []
  const orders: StreamOrder[] = []
  const journal = { isFull: false, append: ({ kind }: { kind: number }) => kinds.push(kind) }
  const corridor = new AccountCorridor({
    journal,
    obey: (given) => void orders.push(...given),
    observe: () => undefined,
  })
  corridor.note({ kind: 'started', at: at(0), keyFingerprint: 'f', urls: { v1: 'wss://venue/v1' } })
  const goLive = (seconds: number, connection: number): void => {
    corridor.note({ kind: 'dialing', at: at(seconds), connection, feed: 'v1', url: 'wss://venue/v1' })
    corridor.note({ kind: 'opened', at: at(seconds), connection })
    corridor.note({ kind: 'frame', at: at(seconds), connection, text: JSON.stringify(ACK) })
  }
  return { corridor, journal, kinds, orders, goLive }
}

test('time dials what is due, and the feed is missing until its subscription stands', () => {
  const { corridor, orders, goLive } = bench()
  assert.equal(corridor.tick(at(1)), null)
  assert.deepEqual(
    orders.map(({ kind }) => kind),
    ['dial'],
  )
  assert.deepEqual(corridor.missing, ['v1'])
  goLive(1, 1)
  assert.deepEqual(corridor.missing, [])
})

test('a full journal ends the connection and takes no more ticks, until there is room', () => {
  const { corridor, journal, kinds, orders, goLive } = bench()
  corridor.tick(at(1))
  goLive(1, 1)
  journal.isFull = true
  assert.equal(corridor.tick(at(2)), 'full')
  assert.deepEqual(orders.at(-1), { kind: 'hang_up', connection: 1 })
  assert.deepEqual(corridor.missing, ['v1'])
  const before = kinds.length
  assert.equal(corridor.tick(at(3)), null)
  corridor.renew(at(3))
  assert.equal(kinds.length, before)
  journal.isFull = false
  assert.equal(corridor.tick(at(4)), 'room')
  corridor.tick(at(5))
  assert.equal(orders.at(-1)?.kind, 'dial')
})

test('a subscription is renewed on request', () => {
  const { corridor, orders, goLive } = bench()
  corridor.tick(at(1))
  goLive(1, 1)
  corridor.renew(at(2))
  corridor.tick(at(3))
  assert.deepEqual(
    orders.map(({ kind }) => kind),
    ['dial', 'hang_up', 'dial'],
  )
})

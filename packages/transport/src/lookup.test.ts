import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { test } from 'node:test'
import { createLookup } from './lookup.ts'

const VENUE = { address: '104.18.3.4', family: 4 }
const VENUE_V6 = { address: '2606:4700::6812:304', family: 6 }

test('a hundred dials to one host while it is being resolved are one lookup', async () => {
  const system = manualResolver()
  const lookup = createLookup({ resolve: system.resolve })
  const asked = Array.from({ length: 100 }, () => ask(lookup, 'ws.gemini.com'))
  assert.deepEqual(system.hosts, ['ws.gemini.com'])
  system.answer([VENUE, VENUE_V6])
  for (const answer of await Promise.all(asked)) assert.deepEqual(answer, [VENUE, VENUE_V6])
})

test('another host does not wait for it', async () => {
  const hosts: string[] = []
  const lookup = createLookup({
    resolve: (host) => {
      hosts.push(host)
      return host === 'dead.test' ? new Promise(() => {}) : Promise.resolve([VENUE])
    },
    deadlineMs: 100,
  })
  const dead = ask(lookup, 'dead.test')
  assert.deepEqual(await ask(lookup, 'ws.gemini.com'), [VENUE])
  assert.equal(await dead, 'LOOKUP_TIMEOUT')
  assert.deepEqual(hosts, ['dead.test', 'ws.gemini.com'])
})

test('a hung lookup is joined, not repeated, by whoever asks after its deadline; its late answer serves them', async () => {
  const system = manualResolver()
  const lookup = createLookup({ resolve: system.resolve, deadlineMs: 100 })
  assert.equal(await ask(lookup, 'ws.gemini.com'), 'LOOKUP_TIMEOUT')
  const later = ask(lookup, 'ws.gemini.com')
  assert.deepEqual(system.hosts, ['ws.gemini.com'])
  system.answer([VENUE])
  assert.deepEqual(await later, [VENUE])
})

test('a finished answer is not kept: the next dial resolves again', async () => {
  const system = manualResolver()
  const lookup = createLookup({ resolve: system.resolve })
  const first = ask(lookup, 'ws.gemini.com')
  system.answer([VENUE])
  assert.deepEqual(await first, [VENUE])
  const second = ask(lookup, 'ws.gemini.com')
  assert.deepEqual(system.hosts, ['ws.gemini.com', 'ws.gemini.com'])
  system.answer([VENUE_V6])
  assert.deepEqual(await second, [VENUE_V6])
})

for (const [name, host, found, expected] of [
  ['a private answer', 'ws.gemini.com', [{ address: '10.0.0.1', family: 4 }], 'PRIVATE_ADDRESS'],
  ['one private address among public ones', 'ws.gemini.com', [VENUE, { address: '::1', family: 6 }], 'PRIVATE_ADDRESS'],
  ['a public answer for localhost', 'localhost', [VENUE], 'PRIVATE_ADDRESS'],
  ['no address at all', 'ws.gemini.com', [], 'ENOTFOUND'],
] as const) {
  test(`${name} is ${expected}`, async () => {
    assert.equal(await ask(createLookup({ resolve: async () => [...found] }), host), expected)
  })
}

test("the resolver's own codes are kept", async () => {
  const lookup = createLookup({
    resolve: () => Promise.reject(Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' })),
  })
  assert.equal(await ask(lookup, 'ws.gemini.com'), 'EAI_AGAIN')
})

test('a caller that wants one address of one family gets the first of that family', async () => {
  const lookup = createLookup({ resolve: async () => [VENUE, VENUE_V6] })
  const answer = await new Promise((resolve) => {
    lookup('ws.gemini.com', { family: 6 }, (error, address, family) => resolve([error, address, family]))
  })
  assert.deepEqual(answer, [null, '2606:4700::6812:304', 6])
})

test('localhost resolves to loopback by the system', async () => {
  const answer = await ask(createLookup(), 'localhost')
  assert.ok(Array.isArray(answer))
  for (const { address } of answer) assert.match(address, /^(127\.|::1$)/)
})

/** The addresses, or the code of the failure. */
function ask(lookup: LookupFunction, host: string): Promise<LookupAddress[] | string> {
  return new Promise((resolve) => {
    lookup(host, { all: true }, (error, addresses) => {
      if (error !== null) resolve(error.code ?? 'no code')
      else resolve(Array.isArray(addresses) ? addresses : 'one address')
    })
  })
}

function manualResolver(): {
  hosts: string[]
  resolve: (host: string) => Promise<LookupAddress[]>
  answer: (addresses: LookupAddress[]) => void
} {
  const hosts: string[] = []
  let waiting = Promise.withResolvers<LookupAddress[]>()
  return {
    hosts,
    resolve: (host) => {
      hosts.push(host)
      waiting = Promise.withResolvers()
      return waiting.promise
    },
    answer: (addresses) => waiting.resolve(addresses),
  }
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAddressAllowed, isLoopbackHost, urlProblem } from './address.ts'

for (const [host, address, allowed] of [
  ['api.gemini.com', '104.18.3.4', true],
  ['api.gemini.com', '2606:4700::6812:304', true],
  ['api.gemini.com', '64:ff9b::104.18.3.4', true], // NAT64 of a public address
  ['api.gemini.com', '127.0.0.1', false],
  ['api.gemini.com', '127.255.255.254', false],
  ['api.gemini.com', '0.0.0.0', false],
  ['api.gemini.com', '10.1.2.3', false],
  ['api.gemini.com', '100.64.0.1', false],
  ['api.gemini.com', '169.254.169.254', false],
  ['api.gemini.com', '172.15.255.255', true],
  ['api.gemini.com', '172.16.0.1', false],
  ['api.gemini.com', '172.31.255.255', false],
  ['api.gemini.com', '172.32.0.0', true],
  ['api.gemini.com', '192.168.1.1', false],
  ['api.gemini.com', '198.19.0.1', false],
  ['api.gemini.com', '224.0.0.1', false],
  ['api.gemini.com', '255.255.255.255', false],
  ['api.gemini.com', '::', false],
  ['api.gemini.com', '::1', false],
  ['api.gemini.com', '::ffff:10.1.2.3', false],
  ['api.gemini.com', '::ffff:104.18.3.4', false], // no resolver has a reason to answer so
  ['api.gemini.com', '64:ff9b::10.1.2.3', false],
  ['api.gemini.com', '64:ff9b::7f00:1', false],
  ['api.gemini.com', 'fc00::1', false],
  ['api.gemini.com', 'fd12:3456::1', false],
  ['api.gemini.com', 'fe80::1', false],
  ['api.gemini.com', 'ff02::1', false],
  ['api.gemini.com', '2001::1', false],
  ['api.gemini.com', '2001:db8::1', false],
  ['api.gemini.com', '2002:7f00:1::', false],
  ['api.gemini.com', 'not an address', false],
  ['localhost', '127.0.0.1', true],
  ['localhost', '::1', true],
  ['localhost', '104.18.3.4', false],
  ['localhost', '10.1.2.3', false],
  ['127.0.0.1', '127.0.0.1', true],
] as const) {
  test(`a connection to ${host} ${allowed ? 'may' : 'must not'} go to ${address}`, () => {
    assert.equal(isAddressAllowed(host, address), allowed)
  })
}

for (const [url, problem] of [
  ['wss://ws.gemini.com/', null],
  ['wss://ws.gemini.com:9443/path?heartbeat=true', null],
  ['ws://localhost:8080/', null],
  ['ws://127.0.0.1:8080/', null],
  ['ws://[::1]:8080/', null],
  ['wss://127.0.0.1:8080/', null],
  ['', 'is not a URL'],
  ['ws.gemini.com', 'is not a URL'],
  ['https://ws.gemini.com/', 'must start with wss://'],
  ['file:///etc/passwd', 'must start with wss://'],
  ['ws+unix:///run/socket', 'must start with wss://'],
  ['ws://ws.gemini.com/', 'must start with wss:// outside loopback'],
  ['ws://localhost.evil.test/', 'must start with wss:// outside loopback'],
  ['ws://10.0.0.1/', 'must start with wss:// outside loopback'],
  ['wss://user@ws.gemini.com/', 'must not hold a user name or password'],
  ['wss://:secret@ws.gemini.com/', 'must not hold a user name or password'],
  ['wss://ws.gemini.com/#part', 'must not hold a fragment'],
  ['wss://169.254.169.254/', 'names a private or reserved address'],
  ['wss://0xa000001/', 'names a private or reserved address'],
  ['wss://167772161/', 'names a private or reserved address'],
  ['wss://[fd00::1]/', 'names a private or reserved address'],
  ['wss://[::ffff:a00:1]/', 'names a private or reserved address'],
] as const) {
  test(`as a URL to dial, "${url}" ${problem ?? 'is good'}`, () => {
    assert.equal(urlProblem(url, 'wss:', 'ws:'), problem)
  })
}

for (const [host, loopback] of [
  ['localhost', true],
  ['127.9.9.9', true],
  ['[::1]', true],
  ['localhost.', false],
  ['128.0.0.1', false],
  ['api.gemini.com', false],
] as const) {
  test(`${host} is ${loopback ? '' : 'not '}a loopback host`, () => assert.equal(isLoopbackHost(host), loopback))
}

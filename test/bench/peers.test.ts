import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

// The libraries that are measured beside booktape are installed by `npm run bench` alone.

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const PEERS = ['ccxt', 'sorted-btree', 'tardis-dev']

test('they are pinned, each with a checksum and without an address', () => {
  const { dependencies } = JSON.parse(read('peers/package.json')) as { dependencies: Readonly<Record<string, string>> }
  assert.deepEqual(Object.keys(dependencies).sort(), PEERS)
  for (const [name, version] of Object.entries(dependencies)) assert.match(version, /^\d+\.\d+\.\d+$/, name)
  const lockfile = read('peers/pnpm-lock.yaml')
  const packages = lockfile.slice(lockfile.indexOf('\npackages:'), lockfile.indexOf('\nsnapshots:'))
  const names = packages.match(/^ {2}\S.*:$/gm) ?? []
  assert.ok(names.length >= PEERS.length)
  assert.equal(packages.match(/^ {4}resolution: \{integrity: sha512-[A-Za-z0-9+/]{86}==\}$/gm)?.length, names.length)
  assert.doesNotMatch(lockfile, /tarball|https?:|git\+|github|codeload|\bfile:/)
})

test('no other install brings them along', () => {
  const lockfile = read('../../pnpm-lock.yaml')
  for (const name of PEERS) assert.ok(!lockfile.includes(`${name}@`), name)
})

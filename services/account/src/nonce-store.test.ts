import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { NonceKind } from '@booktape/gemini'
import { ConfigError } from '@booktape/runtime'
import { type FakeClock, fakeClock } from '@booktape/testkit'
import { NonceError, NonceStore } from './nonce-store.ts'

const FINGERPRINT = '0123456789abcdef'
const START_NS = 1_790_000_000_000_000_000n

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'booktape-nonce-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function open(
  t: TestContext,
  directory: string,
  clock: Pick<FakeClock, 'wallNs' | 'sleep'> = fakeClock({ wallNs: START_NS }),
  kind: NonceKind = 'monotonic',
): Promise<NonceStore> {
  const store = await NonceStore.open({ directory, fingerprint: FINGERPRINT, kind, clock })
  t.after(() => store.close())
  return store
}

test('a thousand nonces, many asked for at once, grow and are never the same', async (t) => {
  const store = await open(t, directoryOf(t))
  const nonces = await Promise.all(Array.from({ length: 1_000 }, () => store.take()))
  assert.equal(nonces[0], 1_790_000_000_000n)
  assert.equal(nonces[999], 1_790_000_000_999n)
  assert.equal(new Set(nonces).size, 1_000)
})

test('a restart goes on after the last nonce, also with a clock that was set back', async (t) => {
  const directory = directoryOf(t)
  const before = await NonceStore.open({
    directory,
    fingerprint: FINGERPRINT,
    kind: 'monotonic',
    clock: fakeClock({ wallNs: START_NS }),
  })
  assert.equal(await before.take(), 1_790_000_000_000n)
  await before.close()
  const after = await open(t, directory, fakeClock({ wallNs: START_NS - 3_600_000_000_000n }))
  assert.equal(await after.take(), 1_790_000_000_001n)
})

test('what a killed process was given is on disk already', async (t) => {
  const directory = directoryOf(t)
  const store = await open(t, directory)
  const nonce = await store.take()
  assert.equal(readFileSync(join(directory, FINGERPRINT, 'nonce'), 'utf8'), `${nonce}\n`)
})

test('a second process on the same key is refused, whose pid is named; another key is not', async (t) => {
  const directory = directoryOf(t)
  const script = `
    import { NonceStore } from '${new URL('nonce-store.ts', import.meta.url).href}'
    const clock = { wallNs: () => 1n, sleep: async () => undefined }
    await NonceStore.open({ directory: process.argv[1], fingerprint: '${FINGERPRINT}', kind: 'monotonic', clock })
    process.stdout.write('open')
    setInterval(() => undefined, 60_000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  await assert.rejects(open(t, directory), (error: unknown) => {
    assert.ok(error instanceof ConfigError)
    assert.match(error.message, new RegExp(`the process with pid ${child.pid} signs with this API key already`))
    return true
  })
  const other = await NonceStore.open({
    directory,
    fingerprint: 'fedcba9876543210',
    kind: 'monotonic',
    clock: fakeClock({ wallNs: START_NS }),
  })
  await other.close()
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  await open(t, directory) // what it left behind is taken over
})

test('a file that holds no nonce stops the start with a sentence', async (t) => {
  const directory = directoryOf(t)
  mkdirSync(join(directory, FINGERPRINT))
  writeFileSync(join(directory, FINGERPRINT, 'nonce'), '17900')
  await assert.rejects(open(t, directory), /nonce does not hold a nonce, .* remove the file/)
})

test('a directory that cannot be used is named with its setting', async (t) => {
  const file = join(directoryOf(t), 'file')
  writeFileSync(file, '')
  await assert.rejects(open(t, file), /BOOKTAPE_NONCE_DIR .*file cannot be used \(ENOTDIR\)/)
})

test('nonces of time wait for the clock when they have run ten seconds ahead of it', async (t) => {
  const clock = fakeClock({ wallNs: START_NS })
  const store = await open(t, directoryOf(t), clock, 'time')
  for (let ahead = 0n; ahead <= 10n; ahead++) assert.equal(await store.take(), 1_790_000_000n + ahead)
  const waiting = store.take()
  await clock.advance(1_000)
  assert.equal(await waiting, 1_790_000_011n)
})

test('nonces of time that lie far ahead of the clock are an error that says what to mend', async (t) => {
  const directory = directoryOf(t)
  mkdirSync(join(directory, FINGERPRINT))
  writeFileSync(join(directory, FINGERPRINT, 'nonce'), '1790003600\n')
  const store = await open(t, directory, fakeClock({ wallNs: START_NS }), 'time')
  await assert.rejects(store.take(), (error: unknown) => {
    assert.ok(error instanceof NonceError)
    assert.match(error.message, /lies 3591 s ahead of this machine's clock/)
    return true
  })
})

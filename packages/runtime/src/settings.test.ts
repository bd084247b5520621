import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ConfigError, type Environment, readSettings, type SettingsReader } from './settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'booktape-settings-'))
after(() => rmSync(folder, { recursive: true }))

for (const [name, read, text, expected] of [
  ['text', (r) => r.text('X'), ' a b ', 'a b'],
  ['whole number', (r) => r.integer('X'), '9464', 9464],
  ['negative number', (r) => r.integer('X'), '-1', -1],
  ['yes', (r) => r.boolean('X'), 'true', true],
  ['no', (r) => r.boolean('X'), '0', false],
  ['milliseconds', (r) => r.duration('X'), '500ms', 500],
  ['seconds', (r) => r.duration('X'), '60s', 60_000],
  ['hours', (r) => r.duration('X'), '24h', 86_400_000],
  ['days', (r) => r.duration('X'), '7d', 604_800_000],
  ['GiB', (r) => r.bytes('X'), '20GiB', 21_474_836_480],
  ['MiB', (r) => r.bytes('X'), '512MiB', 536_870_912],
  ['decimal megabytes', (r) => r.bytes('X'), '5MB', 5_000_000],
  ['choice in any case', (r) => r.choice('X', ['debug', 'info']), 'INFO', 'info'],
  ['list', (r) => r.list('X'), 'BTCUSD, ethusd,btcusd', ['btcusd', 'ethusd']],
  ['star', (r) => r.list('X'), '*', ['*']],
  ['secret', (r) => r.secret('X'), 's3cret', 's3cret'],
] as readonly [string, (reader: SettingsReader) => unknown, string, unknown][]) {
  test(`a ${name} is read from ${JSON.stringify(text)}`, () => {
    assert.deepEqual(
      readSettings({ X: text }, (reader) => ({ value: read(reader) })),
      { value: expected },
    )
  })
}

for (const [text, read, expected] of [
  ['90', (r) => r.duration('X'), 'X must be a duration such as 500ms, 60s or 24h, not "90".'],
  ['0s', (r) => r.duration('X'), 'X must be a duration such as 500ms, 60s or 24h, not "0s".'],
  ['1.5h', (r) => r.duration('X'), 'X must be a duration such as 500ms, 60s or 24h, not "1.5h".'],
  ['20 GB/s', (r) => r.bytes('X'), 'X must be a size such as 512MiB or 20GiB, not "20 GB/s".'],
  ['999999999999TiB', (r) => r.bytes('X'), 'X must be a size such as 512MiB or 20GiB, not "999999999999TiB".'],
  ['0x10', (r) => r.integer('X'), 'X must be a whole number, not "0x10".'],
  ['1e3', (r) => r.integer('X'), 'X must be a whole number, not "1e3".'],
  ['0', (r) => r.integer('X', { min: 1 }), 'X must be at least 1, not 0.'],
  ['65536', (r) => r.integer('X', { default: 1, max: 65_535 }), 'X must be at most 65535, not 65536.'],
  ['yes', (r) => r.boolean('X'), 'X must be true or false, not "yes".'],
  ['v2', (r) => r.choice('X', ['v1', 'ws']), 'X must be one of v1, ws, not "v2".'],
  ['a,,b', (r) => r.list('X'), 'X has an empty place between its commas: "a,,b".'],
  ['', (r) => r.list('X'), 'X is not set and has no default.'],
] as readonly [string, (reader: SettingsReader) => unknown, string][]) {
  test(`${JSON.stringify(text)} is refused: ${expected}`, () => {
    assert.deepEqual(problemsOf({ X: text }, read), [expected])
  })
}

test('a variable that is absent or empty has its default, of any type', () => {
  const settings = readSettings({ EMPTY: '' }, (read) => ({
    url: read.text('URL', { default: null }),
    port: read.integer('EMPTY', { default: 9464, min: 1 }),
    symbols: read.list('SYMBOLS', { default: ['*'] }),
    secret: read.secret('SECRET'),
  }))
  assert.deepEqual(settings, { url: null, port: 9464, symbols: ['*'], secret: null })
  assert.ok(Object.isFrozen(settings))
})

test('every problem is listed at once, with exit code 78', () => {
  const read = (reader: SettingsReader): unknown => {
    reader.list('SYMBOLS')
    reader.integer('PORT')
    reader.problem('SHARD must be below SHARDS.')
    return null
  }
  assert.throws(
    () => readSettings({ PORT: 'http' }, read),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.exitCode, 78)
      assert.equal(
        error.message,
        'SYMBOLS is not set and has no default.\nPORT must be a whole number, not "http".\nSHARD must be below SHARDS.',
      )
      return true
    },
  )
})

test('a secret is read from a mounted file, without its line end', () => {
  const file = join(folder, 'key')
  writeFileSync(file, 'from-a-file\n')
  assert.deepEqual(
    readSettings({ KEY_FILE: file }, (read) => ({ key: read.secret('KEY') })),
    { key: 'from-a-file' },
  )
})

test('a secret that cannot be used is refused without being shown', () => {
  const empty = join(folder, 'empty')
  writeFileSync(empty, '')
  const absent = join(folder, 'absent')
  const read = (reader: SettingsReader): unknown => reader.secret('KEY')
  assert.deepEqual(problemsOf({ KEY: 'canary', KEY_FILE: empty }, read), [
    'KEY and KEY_FILE are both set: keep one of them.',
  ])
  assert.deepEqual(problemsOf({ KEY_FILE: empty }, read), [`KEY_FILE names an empty file: ${empty}.`])
  assert.deepEqual(problemsOf({ KEY_FILE: absent }, read), [
    `KEY_FILE names a file that cannot be read (ENOENT): ${absent}.`,
  ])
})

function problemsOf(env: Environment, read: (reader: SettingsReader) => unknown): readonly string[] {
  try {
    readSettings(env, read)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

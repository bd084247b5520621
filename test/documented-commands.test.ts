import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type ExchangeServer, presetOf, startExchangeServer } from '@booktape/exchange'
import { systemClock } from '@booktape/runtime'
import type { TemporaryDatabase } from '@booktape/testkit'
import { archiveDocumented, documentedDatabase } from './documented-recording.ts'
import { runCommand } from './spawned-command.ts'

// Every command line that a page or a --help shows, run as it stands, on the recording of docs/data.md.

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** With how many commands each shows at least. */
const PAGES = [
  ['docs/command-line.md', 6],
  ['docs/exports.md', 6],
  ['docs/account.md', 2],
] as const
const COMMANDS =
  'start record account migrate handover status retention archive query backfill verify export replay exchange completion'.split(
    ' ',
  )

/** Those that run until they are told to stop, and what they say when they work. */
const UNENDING: readonly (readonly [RegExp, RegExp])[] = [
  [/\bbooktape record\b/, /"msg":"recording"/],
  [/\bbooktape account\b/, /"msg":"recording the account"/],
  [/\bbooktape start\b/, /^recording /m],
  [/\bbooktape exchange\b/, /127\.0\.0\.1:\d+/],
  [/\bbooktape replay\b.*--serve/, /127\.0\.0\.1:\d+/],
  [/\bbooktape status\b.*--watch/, /btcusd/],
]
/** The recording of docs/data.md is written by hand, without checksums, and no recorder wrote it: that is what is to be found. */
const FINDS_DAMAGE = /\bbooktape verify\b(?!.*--archive)/
/** What reads an archive is given no database. */
const READS_ARCHIVE = /\bbooktape (export|replay)\b.*--archive/
/** The real exchange and the real object storage are not for tests. */
const NOT_RUN = /--live|s3:/

let database: TemporaryDatabase
let exchange: ExchangeServer
let directory = ''
before(async () => {
  database = await documentedDatabase()
  const symbols = ['btcusd', 'ethusd'].map((symbol) => presetOf(symbol) ?? assert.fail())
  exchange = await startExchangeServer({ port: 0, seed: 1, symbols, clock: systemClock() })
  directory = mkdtempSync(join(tmpdir(), 'booktape-test-'))
  await archiveDocumented(database, join(directory, 'tape'))
  mkdirSync(join(directory, 'bin'))
  const shim = join(directory, 'bin', 'booktape')
  writeFileSync(shim, `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'services/cli/src/main.ts')}' "$@"\n`)
  chmodSync(shim, 0o755)
})
after(async () => {
  await exchange?.stop()
  await database?.close()
  rmSync(directory, { recursive: true, force: true })
})

for (const [page, least] of PAGES) {
  describe(page, () => {
    const blocks = [...readFileSync(join(ROOT, page), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)]
    const lines = blocks.flatMap(([, block = '']) => block.trim().split('\n'))
    test('shows commands', () => assert.ok(lines.length >= least))
    for (const line of lines) test(line, async (t) => await works(t, line))
  })
}

describe('the examples of --help', () => {
  for (const command of COMMANDS) {
    test(command, async (t) => {
      const stdout = await helpOf(t, command)
      const lines = (stdout.split('\nExamples:\n')[1] ?? '')
        .trimEnd()
        .split('\n')
        .map((line) => line.trim())
      assert.ok(lines.length > 0 && lines.every((line) => line.includes('booktape')), stdout)
      for (const line of lines) if (!NOT_RUN.test(line)) await works(t, line)
    })
  }
})

test('every command is on the page, in the list of commands here, and those for programs have --json', async (t) => {
  const { stdout } = await runCommand(t, ['--help'], {})
  const listed = [...(stdout.split('\nCommands:\n')[1] ?? '').matchAll(/^ {2}(\w+)/gm)].map(([, name = '']) => name)
  assert.deepEqual(listed.filter((name) => name !== 'help').sort(), [...COMMANDS].sort())
  const page = readFileSync(join(ROOT, 'docs/command-line.md'), 'utf8')
  for (const command of COMMANDS) {
    assert.ok(page.includes(`| \`${command}\` |`), command)
    assert.equal(
      (await helpOf(t, command)).includes('--json'),
      !['start', 'record', 'account', 'handover', 'replay', 'completion'].includes(command),
      command,
    )
  }
})

test('an export writes what it says', async (t) => {
  const { DATABASE_URL } = environment()
  const span = ['--from', '2026-03-01', '--to', '2026-03-02']
  const run = async (...args: readonly string[]) =>
    await runCommand(t, ['export', 'btcusd', ...span, ...args], { DATABASE_URL })
  const out = join(directory, 'said')
  const first = await run('--format', 'csv', '--out', out)
  assert.deepEqual([first.code, first.stderr], [0, ''])
  assert.match(
    first.stdout.replaceAll(/ +/g, ' '),
    /^symbol day feed files changes trades gaps not held\nbtcusd 2026-03-01 v1 3 files, \d+ KiB 9 5 3 0\n$/,
  )
  assert.match((await run('--format', 'csv', '--out', out)).stdout, / was there /)
  const { parts } = JSON.parse((await run('--format', 'csv', '--out', out, '--json')).stdout) as {
    parts: { files: { name: string }[]; skipped: boolean }[]
  }
  assert.equal(parts[0]?.skipped, true)
  for (const { name } of parts[0]?.files ?? []) assert.ok(existsSync(join(out, name)), name)
  const text = await run('--format', 'csv', '--data', 'trades', '--out', '-')
  assert.equal(text.stdout.split('\n')[1], 'btcusd,1002,1772359219980000000,1772359220000000000,101,0.4,buy,v1,a,false')
  const fromArchive = ['--archive', join(directory, 'tape'), '--format', 'csv', '--data', 'trades', '--out', '-']
  const again = await runCommand(t, ['export', 'btcusd', ...span, ...fromArchive], {})
  assert.deepEqual([again.code, again.stderr, again.stdout], [0, '', text.stdout])
  for (const [args, code, sentence] of [
    [
      [...fromArchive, '--to', '2026-03-03'],
      1,
      /^2026-03-02 is not in the archive .*tape: ask for a span that is, or run "booktape archive" first\.\n$/,
    ],
    [[...fromArchive, '--archive', 's3:/tape'], 1, /^2026-03-01 is not in the archive/],
    [[...fromArchive, '--archive', 'ftp://tape'], 78, /^"ftp:\/\/tape" is no archive: name a folder or s3:/],
    [['--format', 'xls', '--out', out], 78, /^--format is "xls"; the formats are tardis, .* ndjson\.\n$/],
    [
      ['--format', 'csv', '--data', 'quotes', '--out', out],
      78,
      /^--data holds "quotes"; csv has book_changes, trades, gaps\.\n$/,
    ],
    [['--format', 'csv', '--shift', '1s', '--out', out], 78, /^--shift is "1s": write milliseconds, such as 60ms\.\n$/],
    [['--format', 'csv', '--shift', '5ms', '--out', out], 78, /^--shift is for hftbacktest alone/],
    [
      ['--format', 'ndjson', '--out', out],
      1,
      /holds an export of format csv: choose another directory for ndjson\.\n$/,
    ],
    [['--format', 'nautilus', '--out', '-'], 1, /^Standard output takes one kind of data/],
    [
      ['--format', 'csv', '--out', join(directory, 'bin', 'booktape', 'x')],
      1,
      /cannot be written \(ENOTDIR\): name a directory that this user may write\.\n$/,
    ],
  ] as const) {
    const refused = await run(...args)
    assert.match(refused.stderr, sentence)
    assert.deepEqual([refused.code, refused.stdout], [code, ''])
    assert.doesNotMatch(refused.stderr, /^\s+at /m, 'no stack trace')
  }
})

/** What was run already is not run again: pages and helps show the same examples. */
const help = new Map<string, string>()
const done = new Set<string>()

async function helpOf(t: TestContext, command: string): Promise<string> {
  const known = help.get(command)
  if (known !== undefined) return known
  const { stdout, code } = await runCommand(t, [command, '--help'], {})
  assert.equal(code, 0)
  help.set(command, stdout)
  return stdout
}

function environment(): Record<string, string> {
  const cores = { DATABASE_URL: database.url, BOOKTAPE_DATA_DIR: join(directory, 'data'), BOOKTAPE_HTTP_PORT: '0' }
  return { ...cores, PATH: [join(directory, 'bin'), process.env['PATH'] ?? ''].join(delimiter), HOME: directory }
}

/** As a user would, with the shell the line is written for. What goes on until a signal is stopped when it says that it works. */
async function works(t: TestContext, line: string): Promise<void> {
  if (done.has(line)) return
  done.add(line)
  const shell = /\b(zsh|fish)\b/.exec(line)?.[1] ?? 'bash'
  if (!isThere(shell)) return t.skip(`${shell} is not installed`)
  const [, ready] = UNENDING.find(([command]) => command.test(line)) ?? []
  const env = { ...environment(), ...simulated(line), ...(READS_ARCHIVE.test(line) ? { DATABASE_URL: '' } : {}) }
  const script = ready === undefined ? `set -o pipefail; ${line}` : line
  const child = spawn(shell, ['-c', shell === 'fish' ? line : script], {
    cwd: directory,
    env,
    detached: true, // a group of its own, so that a signal reaches what the shell started
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  const stop = (): void => {
    const isOver = child.exitCode !== null || child.signalCode !== null
    if (child.pid !== undefined && !isOver) process.kill(-child.pid, 'SIGTERM')
  }
  t.after(stop)
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString()
    if (ready?.test(output) === true && !child.killed) stop()
  })
  child.stderr.on('data', (text: Buffer) => {
    errors += text.toString()
  })
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.once('close', (...ended) => resolve(ended)),
  )
  const isStopped = ready !== undefined && ready.test(output)
  const expected = FINDS_DAMAGE.test(line) ? 1 : 0
  if (expected === 1) assert.match(output, /it is not what was written/)
  assert.ok(
    code === expected || (isStopped && signal === 'SIGTERM'),
    `${line}\nended with ${code ?? signal}:\n${output}${errors}`,
  )
}

/** No line of a page may dial the real exchange. */
function simulated(line: string): Record<string, string> {
  if (/\bbooktape backfill\b/.test(line)) return { BOOKTAPE_GEMINI_REST_URL: exchange.restUrl }
  if (!/\bbooktape (record|account)\b/.test(line)) return {}
  return {
    BOOKTAPE_GEMINI_V1_URL: 'ws://127.0.0.1:9',
    BOOKTAPE_GEMINI_WS_URL: 'ws://127.0.0.1:9',
    BOOKTAPE_GEMINI_REST_URL: 'http://127.0.0.1:9',
    BOOKTAPE_GEMINI_API_KEY: 'account-simulated',
    BOOKTAPE_GEMINI_API_SECRET: 'simulated-secret',
  }
}

function isThere(shell: string): boolean {
  const found = (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, shell)))
  assert.ok(found || process.env['CI'] === undefined, `${shell} is missing: .ci/run installs it`)
  return found
}

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { FORMATS } from '@booktape/export'
import { runCommand } from './spawned-command.ts'

// The scripts of `booktape completion`, in the shells they are for. bash is everywhere; the others where they are installed.

let directory = ''
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'booktape-test-'))
})
after(() => rmSync(directory, { recursive: true, force: true }))

const formats = FORMATS.map(({ name }) => name)

for (const [shell, completions] of [
  [
    'bash',
    (script: string, words: readonly string[]) => {
      const last = words.length - 1
      const typed = words.map((word) => `'${word}'`).join(' ')
      return `source ${script}; COMP_WORDS=(${typed}); COMP_CWORD=${last}; _booktape; printf '%s\\n' "\${COMPREPLY[@]}"`
    },
  ],
  ['fish', (script: string, words: readonly string[]) => `source ${script}; complete -C '${words.join(' ')}'`],
] as const) {
  test(`${shell} completes commands, options and their values`, async (t) => {
    const ask = await completing(t, shell, completions)
    if (ask === null) return t.skip(`${shell} is not installed`)
    assert.deepEqual(ask(['booktape', 'exc']), ['exchange'])
    assert.ok(ask(['booktape', 'export', '--f']).includes('--format'))
    assert.deepEqual(ask(['booktape', 'export', '--format', '']).sort(), [...formats].sort())
    assert.deepEqual(ask(['booktape', 'export', '--feed', 'w']), ['ws'])
    assert.deepEqual(ask(['booktape', 'completion', 'z']), ['zsh'])
    for (const option of ['--out', '--archive'])
      assert.ok(ask(['booktape', 'export', option, directory.slice(0, -2)]).some((one) => one.startsWith(directory)))
  })
}

test('zsh takes its script, and has every command in it', async (t) => {
  const { stdout } = await runCommand(t, ['completion', 'zsh'], {})
  if (!isInstalled('zsh')) return t.skip('zsh is not installed')
  const script = join(directory, 'completion.zsh')
  writeFileSync(script, stdout)
  const loaded = spawnSync(
    'zsh',
    ['-fc', `autoload -U compinit; compinit -D; source ${script}; print $_comps[booktape]`],
    {
      encoding: 'utf8',
    },
  )
  assert.deepEqual([loaded.stdout, loaded.stderr, loaded.status], ['_booktape\n', '', 0])
  for (const command of ['export', 'record', 'migrate'])
    assert.match(stdout, new RegExp(`^ {4}${command}\\) _arguments`, 'm'))
})

type Ask = (words: readonly string[]) => string[]

/** Null where the shell is missing: in CI that is a failure. */
async function completing(
  t: Parameters<typeof runCommand>[0],
  shell: 'bash' | 'fish',
  ask: (script: string, words: readonly string[]) => string,
): Promise<Ask | null> {
  if (!isInstalled(shell)) return null
  const { stdout, code } = await runCommand(t, ['completion', shell], {})
  assert.equal(code, 0)
  const script = join(directory, `completion.${shell}`)
  writeFileSync(script, stdout)
  return (words) => {
    const done = spawnSync(shell, ['-c', ask(script, words)], { encoding: 'utf8' })
    assert.deepEqual([done.stderr, done.status], ['', 0])
    const lines = done.stdout.split('\n').map((line) => line.split('\t')[0] ?? '') // fish says what each is, after a tab
    return lines.filter((line) => line !== '')
  }
}

function isInstalled(shell: string): boolean {
  const found = spawnSync(shell, ['-c', 'true']).status === 0
  assert.ok(found || process.env['CI'] === undefined, `${shell} is missing: .ci/run installs it`)
  return found
}

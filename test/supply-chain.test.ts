import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

// What runs beside our own code, and how it gets there (docs/dependencies.md).

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const lockfile = readLockfile(read('pnpm-lock.yaml'))
const listed = readTable(read('docs/dependencies.md'))

test('the lockfile has a checksum for every package and no address to load one from', () => {
  const without = Object.entries(lockfile.packages).filter(([, lines]) => !lines.some((line) => INTEGRITY.test(line)))
  assert.deepEqual(
    without.map(([name]) => name),
    [],
  )
  assert.ok(Object.keys(lockfile.packages).length > 50)
  assert.doesNotMatch(read('pnpm-lock.yaml'), /tarball|https?:|git\+|github|codeload|\bfile:/)
})

test('every runtime dependency, and whatever it brings along, stands in docs/dependencies.md, and nothing else does', () => {
  assert.deepEqual(Object.keys(listed).sort(), [...runtimePackages()].sort())
})

for (const [name, { version, licence, why, looked }] of Object.entries(listed)) {
  test(`${name} is the version that was looked at, under a licence that lets it be used, and with a reason`, () => {
    const locked = Object.keys(lockfile.packages).flatMap((key) => (nameOf(key) === name ? [versionOf(key)] : []))
    assert.ok(locked.includes(version), `the lockfile has ${locked.join(', ')}, docs/dependencies.md says ${version}`)
    assert.ok(FREE_LICENCES.includes(licence), licence)
    assert.ok(why.length > 10, why)
    assert.match(looked, /^2\d{3}-\d{2}-\d{2}$/)
    const installed = manifestOf(name, version)
    if (installed !== null) assert.equal(installed.license, licence)
  })
}

test('only packages that may run a script when they are installed have one', () => {
  const allowed = [...read('pnpm-workspace.yaml').matchAll(/^ {2}'?([^':\n]+)'?: (?:true|false)$/gm)].map((m) => m[1])
  assert.ok(allowed.length > 0)
  const scripted = globSync('node_modules/.pnpm/*/node_modules/{*,@*/*}/package.json', { cwd: ROOT })
    .map((path) => JSON.parse(read(path)) as Manifest)
    .filter(({ scripts }) => ['preinstall', 'install', 'postinstall'].some((hook) => scripts?.[hook] !== undefined))
    .map(({ name }) => name)
  assert.deepEqual(
    [...new Set(scripted)].filter((name) => !allowed.includes(name)),
    [],
  )
})

test('what runs in production is pinned to one version in our own manifests', () => {
  const loose = globSync(['packages/*/package.json', 'services/*/package.json'], { cwd: ROOT }).flatMap((path) => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(read(path)) as Manifest
    return Object.entries({ ...dependencies, ...optionalDependencies })
      .filter(([, wanted]) => !/^(\d+\.\d+\.\d+(-[a-z0-9.]+)?|workspace:\*)$/.test(wanted))
      .map(([name, wanted]) => `${path}: ${name} ${wanted}`)
  })
  assert.deepEqual(loose, [])
})

test('ws is new enough to limit the fragments of a message', () => {
  const [major = 0, minor = 0] = (listed['ws']?.version ?? '').split('.').map((part) => Number.parseInt(part, 10))
  assert.ok(major > 8 || (major === 8 && minor >= 21), `${major}.${minor}`)
})

type Manifest = Readonly<{
  name: string
  license?: string
  scripts?: Readonly<Record<string, string>>
  dependencies?: Readonly<Record<string, string>>
  optionalDependencies?: Readonly<Record<string, string>>
}>

const INTEGRITY = /^ {4}resolution: \{integrity: sha512-[A-Za-z0-9+/]{86}==\}$/
const FREE_LICENCES: readonly string[] = ['MIT', '0BSD', 'ISC', 'BSD-3-Clause', 'Apache-2.0', 'PostgreSQL']

/** Everything our packages and services import when they run, but for what only tests import. */
function runtimePackages(): Set<string> {
  const found = new Set<string>()
  const follow = (key: string): void => {
    const name = nameOf(key)
    if (found.has(name)) return
    found.add(name)
    for (const [dependency, version] of entriesUnder(lockfile.snapshots[key] ?? [], 4))
      follow(`${dependency}@${version}`)
  }
  for (const [importer, lines] of Object.entries(lockfile.importers)) {
    if (importer === 'test' || importer === 'packages/testkit') continue
    let section = ''
    let name = ''
    for (const line of lines) {
      section = /^ {4}(\w+):$/.exec(line)?.[1] ?? section
      name = /^ {6}'?([^':]+)'?:$/.exec(line)?.[1] ?? name
      const version = /^ {8}version: (.+)$/.exec(line)?.[1]
      if (version !== undefined && section !== 'devDependencies' && !version.startsWith('link:'))
        follow(`${name}@${version}`)
    }
  }
  return found
}

type Blocks = Record<string, string[]>

/** Three sections of pnpm's lockfile, each as the lines under each of its keys. */
function readLockfile(text: string): { importers: Blocks; packages: Blocks; snapshots: Blocks } {
  const sections: Record<string, Blocks> = {}
  let blocks: Blocks = {}
  let lines: string[] = []
  for (const line of text.split('\n')) {
    const section = /^(\w+):$/.exec(line)?.[1]
    const key = /^ {2}'?([^\s'][^']*?)'?:( \{\})?$/.exec(line)?.[1]
    if (section !== undefined) sections[section] = blocks = {}
    else if (key !== undefined) blocks[key] = lines = []
    else lines.push(line)
  }
  const { importers, packages, snapshots } = sections
  assert.ok(importers !== undefined && packages !== undefined && snapshots !== undefined)
  return { importers, packages, snapshots }
}

/** The dependencies of a snapshot: `      name: version` under `dependencies` or `optionalDependencies`. */
function entriesUnder(lines: readonly string[], indent: number): [string, string][] {
  const entry = new RegExp(`^ {${indent + 2}}'?([^':]+)'?: (.+)$`)
  return lines.flatMap((line) => {
    const match = entry.exec(line)
    return match === null ? [] : [[match[1] ?? '', match[2] ?? '']]
  })
}

const nameOf = (key: string): string => key.slice(0, key.indexOf('@', 1))
const versionOf = (key: string): string => key.slice(key.indexOf('@', 1) + 1)

/** Null where the package is for another system than this one. */
function manifestOf(name: string, version: string): Manifest | null {
  const folders = globSync(
    `node_modules/.pnpm/${name.replace('/', '+')}@${version}*/node_modules/${name}/package.json`,
    {
      cwd: ROOT,
    },
  )
  return folders[0] === undefined ? null : (JSON.parse(read(folders[0])) as Manifest)
}

type Row = Readonly<{ version: string; licence: string; why: string; looked: string }>

function readTable(text: string): Record<string, Row> {
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .map(([, name = '', version = '', licence = '', why = '', looked = '']): [string, Row] => [
        name.replaceAll('`', ''),
        { version, licence, why, looked },
      ]),
  )
}

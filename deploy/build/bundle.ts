import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Metafile } from 'esbuild'

/** A package of others that is in the bundle. */
export type Bundled = Readonly<{ name: string; version: string; licence: string }>

export type Bundle = Readonly<{
  /** The program: `node <main> record`. */
  main: string
  /** Exits 0 where a recorder on this machine is alive. */
  healthcheck: string
  packages: readonly Bundled[]
  bytes: number
}>

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** As deep below `directory` as main.ts is below the root: what our code finds from its own place is found here too. */
const PROGRAM = 'services/cli/dist'

/** What a browser loads of the status page; it goes as it stands, and so does the library beside it. */
const PAGE = 'services/recorder/page'
const LIBRARY_OF_PAGE = 'uplot'
const FILES_OF_LIBRARY = ['package.json', 'LICENSE', 'dist/uPlot.iife.min.js', 'dist/uPlot.min.css']

/** esbuild turns CommonJS packages into modules, which have no `require` of their own for what Node brings. */
const PREAMBLE = `#!/usr/bin/env node
import { createRequire as createRequireOfNode } from 'node:module'
const require = createRequireOfNode(import.meta.url)`

/**
 * Builds the command line with everything it imports into `directory`, which is made anew:
 *
 *   services/cli/dist/   main.js, healthcheck.js, and what its commands load when they are called
 *   services/recorder/page/, node_modules/uplot/   what a browser loads
 *   migrations/          as in the repository
 *   package.json         name and version
 *   LICENSE, THIRD-PARTY-LICENCES.txt
 *
 * Not minified: a stack trace names the functions of the source. @throws Error when a package has no licence to ship with it.
 */
export async function bundle(directory: string): Promise<Bundle> {
  const out = resolve(directory)
  rmSync(out, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: { main: 'services/cli/src/main.ts', healthcheck: 'deploy/build/healthcheck.ts' },
    outdir: join(out, PROGRAM),
    bundle: true,
    splitting: true, // a command loads only what it uses
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: PREAMBLE },
    external: ['pg-native'], // which pg asks for, and does without
    legalComments: 'none', // they stand whole in THIRD-PARTY-LICENCES.txt
    metafile: true,
    logLevel: 'warning',
  })
  const main = join(out, PROGRAM, 'main.js')
  chmodSync(main, 0o755)
  const { name, version, type, license } = manifest(join(ROOT, 'package.json'))
  writeFileSync(join(out, 'package.json'), `${JSON.stringify({ name, version, type, license }, null, 2)}\n`)
  cpSync(join(ROOT, 'migrations'), join(out, 'migrations'), { recursive: true })
  cpSync(join(ROOT, 'LICENSE'), join(out, 'LICENSE'))
  const library = dirname(createRequire(join(ROOT, PAGE, 'index.html')).resolve(`${LIBRARY_OF_PAGE}/package.json`))
  cpSync(join(ROOT, PAGE), join(out, PAGE), { recursive: true, filter: (path) => !path.endsWith('tsconfig.json') })
  for (const file of FILES_OF_LIBRARY) cpSync(join(library, file), join(out, 'node_modules', LIBRARY_OF_PAGE, file))
  const folders = [...foldersOf(metafile), library]
  writeFileSync(join(out, 'THIRD-PARTY-LICENCES.txt'), folders.map(licenceOf).join('\n'))
  const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0)
  return { main, healthcheck: join(out, PROGRAM, 'healthcheck.js'), packages: folders.map(describe), bytes }
}

/** Where the packages lie whose files are in the bundle, by name. */
function foldersOf(metafile: Metafile): readonly string[] {
  const folders = new Set<string>()
  for (const input of Object.keys(metafile.inputs)) {
    const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input) ?? []
    if (folder !== undefined) folders.add(join(ROOT, folder))
  }
  return [...folders].sort((a, b) => describe(a).name.localeCompare(describe(b).name))
}

function describe(folder: string): Bundled {
  const { name = '', version = '', license = '' } = manifest(join(folder, 'package.json'))
  return { name, version, licence: license }
}

function licenceOf(folder: string): string {
  const { name, version, licence } = describe(folder)
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(entry))
  const head = `${name} ${version} (${licence})\n${'='.repeat(78)}\n`
  if (file !== undefined) return `${head}${readFileSync(join(folder, file), 'utf8').trim()}\n`
  // Some packages tell their licence in the README or the manifest alone.
  const readme = readdirSync(folder).find((entry) => /^readme\.md$/i.test(entry))
  const [, told] =
    /^#+ *licen[cs]e\s+([\s\S]+)/im.exec(readme === undefined ? '' : readFileSync(join(folder, readme), 'utf8')) ?? []
  if (told === undefined && licence === '')
    throw new Error(`${name} ${version} names no licence, and must not be shipped`)
  return `${head}${(told ?? `Licensed under ${licence}.`).trim()}\n`
}

function manifest(path: string): Readonly<{ name?: string; version?: string; type?: string; license?: string }> {
  return JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, string>>
}

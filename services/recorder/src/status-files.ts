import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

export type StatusFile = Readonly<{ contentType: string; body: string }>

/** Everything that a browser loads to show the status page, and what it may do with it. */
export type StatusFiles = Readonly<{
  page: StatusFile
  /** By name, as `GET /?file=…` asks for them. */
  files: ReadonlyMap<string, StatusFile>
  contentSecurityPolicy: string
}>

/** As deep below the root from here as from the built program, which has the files in the same place. */
const DIRECTORY = fileURLToPath(new URL('../../../services/recorder/page/', import.meta.url))
/** The one library: as it is published, not taken apart. */
const CHART_SCRIPT = 'uplot/dist/uPlot.iife.min.js'
const CHART_STYLE = 'uplot/dist/uPlot.min.css'

const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

/**
 * Reads the page's files. The only path that a recorder answers a page at is `/` (contract, section 4), so a file is asked for by
 * its name in the query, and an import map tells browsers so: the scripts import each other by path like any others.
 */
export async function readStatusFiles(): Promise<StatusFiles> {
  const names = await readdir(DIRECTORY)
  const scripts = names.filter((name) => name.endsWith('.mjs'))
  const imports = Object.fromEntries(scripts.map((name) => [`./${name}`, `./?file=${name}`]))
  const importMap = JSON.stringify({ imports })
  const library = createRequire(import.meta.url)
  const files = new Map<string, StatusFile>([
    ['uplot.js', { contentType: SCRIPT, body: await readFile(library.resolve(CHART_SCRIPT), 'utf8') }],
    ['uplot.css', { contentType: STYLE, body: await readFile(library.resolve(CHART_STYLE), 'utf8') }],
    ['icon.svg', { contentType: 'image/svg+xml', body: await readFile(`${DIRECTORY}icon.svg`, 'utf8') }],
    ['style.css', { contentType: STYLE, body: await readFile(`${DIRECTORY}style.css`, 'utf8') }],
  ])
  for (const name of scripts) {
    files.set(name, { contentType: SCRIPT, body: await readFile(`${DIRECTORY}${name}`, 'utf8') })
  }
  const html = await readFile(`${DIRECTORY}index.html`, 'utf8')
  return {
    page: { contentType: 'text/html; charset=utf-8', body: html.replace(IMPORT_MAP_PLACE, importMap) },
    files,
    contentSecurityPolicy: policy(importMap),
  }
}

const IMPORT_MAP_PLACE = '/* the import map */'

/** Nothing from anywhere else, nothing written into the page, nobody around it. */
function policy(importMap: string): string {
  const hash = createHash('sha256').update(importMap).digest('base64')
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash}'`,
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

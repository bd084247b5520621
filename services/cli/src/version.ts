import { readFileSync } from 'node:fs'

/** The version in the root package, which all of booktape shares. */
export const VERSION: string = readVersion()

function readVersion(): string {
  const file = new URL('../../../package.json', import.meta.url)
  const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (typeof content === 'object' && content !== null && 'version' in content) return String(content.version)
  throw new Error(`${file.pathname} names no version`)
}

import { excerpt } from './excerpt.ts'
import { PRODUCTION, SANDBOX } from './urls.ts'

/**
 * Reads the base of a feed or of REST from a setting. Gives the URL, or one sentence that says what is wrong with it.
 *
 *   wss://api.gemini.com        accepted, as every host of the venue, with TLS only
 *   ws://127.0.0.1:9001         accepted: plain text never leaves the machine
 *   ws://api.gemini.com         refused
 *   https://169.254.169.254     refused, as every other host: a recorder must not be made to call inside a network
 */
export function readBaseUrl(text: string, schemes: 'ws' | 'http'): URL | string {
  const shown = text.includes('@') ? 'the URL' : excerpt(text) // it may hold a password
  const url = /^[\x21-\x7e]*$/.test(text) ? URL.parse(text) : null
  if (url === null) return `${shown} is not a URL; write one such as ${schemes}s://${exampleHost(schemes)}`
  if (url.username !== '' || url.password !== '') return 'a base URL must not hold a user name or password; remove it'
  const plain = url.protocol === `${schemes}:`
  if (!plain && url.protocol !== `${schemes}s:`) return `${shown} does not begin with ${schemes}s://`
  if (text.includes('?') || text.includes('#')) return `${shown} must end before any "?" or "#"; remove what follows`
  if (isLoopback(url.hostname)) return url
  if (!VENUE_HOSTS.has(url.hostname)) {
    return `${shown} is neither a host of Gemini nor a loopback address; use one of ${[...VENUE_HOSTS].join(', ')}`
  }
  if (plain) return `${shown} is not encrypted; write ${schemes}s:// (plain ${schemes}:// is for loopback addresses)`
  if (url.port !== '') return `${shown} names a port; Gemini answers on the default port only`
  return url
}

/** Hosts are compared whole: `api.gemini.com.example.org` is another host. */
const VENUE_HOSTS: ReadonlySet<string> = new Set(
  [PRODUCTION, SANDBOX]
    .flatMap((bases) => [bases.v1, bases.ws, bases.rest])
    .map((base) => base.replace(/^\w+:\/\//, '')),
)

/** The URL reader has already brought every spelling of an IPv4 address (127.1, 0x7f000001) into four numbers. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
}

function exampleHost(schemes: 'ws' | 'http'): string {
  return schemes === 'ws' ? 'ws.gemini.com' : 'api.gemini.com'
}

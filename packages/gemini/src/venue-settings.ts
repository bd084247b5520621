import { readBaseUrl } from './base-url.ts'
import { PRODUCTION, SANDBOX } from './urls.ts'

/** Where a process speaks to the venue, and which venue that is. */
export type VenueSettings = Readonly<{
  v1Url: string
  wsUrl: string
  restUrl: string
  venue: 'gemini' | 'gemini-sandbox' | 'simulated'
}>

/** What reads settings (packages/runtime), as far as it is needed here. */
type Settings = Readonly<{
  text(name: string, options: Readonly<{ default: string }>): string
  boolean(name: string, options: Readonly<{ default: boolean }>): boolean
  problem(sentence: string): void
  hasProblem(name: string): boolean
}>

/** BOOKTAPE_SANDBOX and the three bases. Real and simulated data never meet: a process is wholly at one venue. */
export function readVenueSettings(read: Settings): VenueSettings {
  const bases = read.boolean('BOOKTAPE_SANDBOX', { default: false }) ? SANDBOX : PRODUCTION
  const v1Url = baseUrl(read, 'BOOKTAPE_GEMINI_V1_URL', 'ws', bases.v1)
  const wsUrl = baseUrl(read, 'BOOKTAPE_GEMINI_WS_URL', 'ws', bases.ws)
  const restUrl = baseUrl(read, 'BOOKTAPE_GEMINI_REST_URL', 'http', bases.rest)
  const venues = new Set([v1Url, wsUrl, restUrl].map(venueOf))
  if (venues.size > 1 && !read.hasProblem('BOOKTAPE_GEMINI_')) {
    read.problem(
      'BOOKTAPE_GEMINI_V1_URL, …_WS_URL and …_REST_URL must all be Gemini, all its sandbox, or all simulated.',
    )
  }
  return { v1Url, wsUrl, restUrl, venue: venueOf(v1Url) }
}

/** The same for a process that asks REST alone. */
export function readRestSettings(read: Settings): Pick<VenueSettings, 'restUrl' | 'venue'> {
  const bases = read.boolean('BOOKTAPE_SANDBOX', { default: false }) ? SANDBOX : PRODUCTION
  const restUrl = baseUrl(read, 'BOOKTAPE_GEMINI_REST_URL', 'http', bases.rest)
  return { restUrl, venue: venueOf(restUrl) }
}

function baseUrl(read: Settings, name: string, schemes: 'ws' | 'http', standard: string): string {
  const url = readBaseUrl(read.text(name, { default: standard }), schemes)
  if (url instanceof URL) return url.href
  read.problem(`${name}: ${url}.`)
  return standard
}

function venueOf(url: string): VenueSettings['venue'] {
  const { hostname } = new URL(url)
  if (hostname === 'api.gemini.com' || hostname === 'ws.gemini.com') return 'gemini'
  return hostname.endsWith('sandbox.gemini.com') ? 'gemini-sandbox' : 'simulated'
}

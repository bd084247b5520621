import { levelCount, topOfBook } from '@booktape/book'
import { type CorridorState, type Instant, type Track, tracksOf } from '@booktape/session'
import { timestampText } from '@booktape/store'

/** What one look at a recorder shows. */
export type StatusFacts = Readonly<{
  version: string
  line: string
  venue: string
  startedNs: bigint // monotonic, as `now.monoNs`
  now: Instant
  missing: readonly string[] // what keeps it from being ready; empty when it is
  journalBytes: number
  backlog: number // journal entries whose rows are not in Postgres yet
  sinceCommitMs: number | null // null before the first commit
  state: Readonly<CorridorState>
}>

/** The page is made anew for each look, so this only has to be slower than a look takes to read. */
export const REFRESH_SECONDS = 2

/** The status page (contract, section 4): one HTML document without scripts, whole in itself. */
export function statusPage(facts: StatusFacts): string {
  const { version, line, venue, now, missing, journalBytes, backlog, sinceCommitMs, state } = facts
  const isReady = missing.length === 0
  const summary: readonly (readonly [name: string, value: string])[] = [
    ['ready', isReady ? good('yes') : `${bad('no')}: ${escapeHtml(shortened(missing))}`],
    ['version', escapeHtml(version)],
    ['line', escapeHtml(line)],
    ['venue', escapeHtml(venue)],
    ['running for', spanText(now.monoNs - facts.startedNs)],
    ['journal', bytesText(journalBytes)],
    ['backlog', `${backlog} ${backlog === 1 ? 'entry' : 'entries'}`],
    ['last commit', sinceCommitMs === null ? bad('none yet') : `${spanText(BigInt(sinceCommitMs) * NS_PER_MS)} ago`],
  ]
  const rows = allTracksOf(state).map((track) => `<tr>${cells(track, now).join('')}</tr>`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>booktape, line ${escapeHtml(line)}${isReady ? '' : ' (not ready)'}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>booktape</h1>
<dl>${summary.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>
<div class="wide"><table>
<thead><tr>${HEAD.map(([title, kind]) => `<th class="${kind}">${title}</th>`).join('')}</tr></thead>
<tbody>
${rows.length === 0 ? `<tr><td colspan="${HEAD.length}">no session has begun</td></tr>` : rows.join('\n')}
</tbody>
</table></div>
<p><a href="/readyz">/readyz</a> what is missing &nbsp; <a href="/metrics">/metrics</a> for Prometheus &nbsp; made ${secondText(now.wallNs)} UTC</p>
</body>
</html>
`
}

const NS_PER_MS = 1_000_000n
const NS_PER_SECOND = 1_000_000_000n
/** Sentences shown of what is missing; /readyz has all of them. */
const SHOWN_MISSING = 3

const HEAD = [
  ['symbol', 'text'],
  ['feed', 'text'],
  ['live', 'text'],
  ['open gaps', 'text'], // early: on a narrow screen the right side is out of sight
  ['bid quantity', 'number'],
  ['best bid', 'number'],
  ['best ask', 'number'],
  ['ask quantity', 'number'],
  ['levels', 'number'],
  ['live since (UTC)', 'text'],
  ['last book message', 'number'],
] as const

function cells(track: Track, now: Instant): string[] {
  const { symbol, feed, epoch, book } = track
  const top = topOfBook(book)
  const isLive = epoch !== null
  const values = [
    escapeHtml(symbol),
    escapeHtml(feed),
    isLive ? good('yes') : bad('no'),
    openGaps(track, now),
    escapeHtml(top.bidQuantity ?? ''),
    escapeHtml(top.bidPrice ?? ''),
    escapeHtml(top.askPrice ?? ''),
    escapeHtml(top.askQuantity ?? ''),
    isLive ? `${levelCount(book, 'bid')} + ${levelCount(book, 'ask')}` : '',
    isLive ? secondText(epoch.startedNs) : '',
    isLive ? `${spanText(now.monoNs - epoch.provenMonoNs)} ago` : '',
  ]
  return values.map((value, column) => `<td class="${HEAD[column]?.[1] ?? 'text'}">${value}</td>`)
}

/** Of the sessions of this run: a symbol of an earlier one is nobody's concern here. */
function allTracksOf(state: Readonly<CorridorState>): readonly Track[] {
  const tracks = [...state.sessions.values()].flatMap(tracksOf)
  return tracks.sort((a, b) => (`${a.symbol} ${a.feed}` < `${b.symbol} ${b.feed}` ? -1 : 1))
}

function openGaps({ gaps }: Track, now: Instant): string {
  const open = (['book', 'trades'] as const).flatMap((stream) => {
    const gap = gaps[stream]
    return gap === null ? [] : [`${stream}: ${escapeHtml(gap.cause)}, ${spanText(now.wallNs - gap.startedNs)}`]
  })
  return open.length === 0 ? 'none' : bad(open.join('<br>'))
}

function shortened(missing: readonly string[]): string {
  const rest = missing.length - SHOWN_MISSING
  const shown = missing.slice(0, SHOWN_MISSING).join('; ')
  return rest > 0 ? `${shown}; and ${rest} more` : shown
}

/** `0.4 s`, `59 s`, `2 min 5 s`, `3 h 20 min`, `4 d 3 h`; a clock that stepped back shows nothing below zero. */
function spanText(ns: bigint): string {
  const seconds = ns / NS_PER_SECOND
  if (ns < 0n) return '0.0 s'
  if (seconds < 10n) return `${seconds}.${(ns % NS_PER_SECOND) / (100n * NS_PER_MS)} s`
  if (seconds < 60n) return `${seconds} s`
  if (seconds < 3_600n) return `${seconds / 60n} min ${seconds % 60n} s`
  if (seconds < 86_400n) return `${seconds / 3_600n} h ${(seconds % 3_600n) / 60n} min`
  return `${seconds / 86_400n} d ${(seconds % 86_400n) / 3_600n} h`
}

function bytesText(bytes: number): string {
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

const secondText = (ns: bigint): string => timestampText(ns).slice(0, 19).replace('T', ' ')

const good = (html: string): string => `<span class="good">${html}</span>`
const bad = (html: string): string => `<span class="bad">${html}</span>`

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
])

/** For text between tags and in quoted attributes: prices, symbols and causes may be the venue's words. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES.get(character) ?? '')
}

const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de; --good: #116329; --bad: #a40e26; --page: #ffffff }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --quiet: #9198a1; --line: #3d444d; --good: #56d364; --bad: #ff7b72; --page: #0d1117 } }
body { margin: 1.5rem; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.4rem; margin: 0 0 .75rem }
dl { display: flex; flex-wrap: wrap; gap: .75rem 2rem; margin: 0 0 1.5rem }
dt, th { color: var(--quiet); font-size: .85rem; font-weight: normal }
dd { margin: 0 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; text-align: left }
.number { text-align: right }
.good { color: var(--good) }
.bad { color: var(--bad) }
a { color: inherit }
p { color: var(--quiet) }
`

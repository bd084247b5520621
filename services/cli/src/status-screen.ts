import type { Coverage, FeedStatus, StoreStatus, UncoveredSpan } from '@booktape/store'
import type { RecorderLook } from './recorder-look.ts'
import { table } from './table.ts'

/** What was found: of the database null where it did not answer, of the recorder where none did. */
export type StatusFound = Readonly<{
  database: string // the URL without its password
  stored: (StoreStatus & Readonly<{ coverage: Coverage; fromMs: number; toMs: number }>) | null
  trouble: string | null // why the database did not answer
  recorder: RecorderLook | null
  recorderUrl: string
}>

/** An hour a sign. */
const STRIP_HOURS = 24
const HOUR_MS = 3_600_000
const SIGNS = { live: '█', gap: '▒', off: '·' } as const
const MEBIBYTE = 2n ** 20n

/** What a person sees. `rows`: how many lines a terminal has; null where nothing limits them. */
export function screen(found: StatusFound, rows: number | null): string {
  const { stored, database, trouble, recorder, recorderUrl } = found
  const head = [
    stored === null
      ? `database   ${database}: ${trouble ?? 'no answer'}`
      : `database   ${database}, ${stored.databaseBytes / MEBIBYTE} MiB`,
    ...recorderLines(recorder, recorderUrl),
  ]
  if (stored === null) return `${head.join('\n')}\n`
  const ofBook = Map.groupBy(stored.coverage.uncovered, ({ symbol, feed }) => `${symbol} ${feed}`)
  const window = { fromMs: stored.fromMs, toMs: stored.toMs }
  const lines = stored.feeds.map((of) => ({ of, spans: ofBook.get(`${of.symbol} ${of.feed}`) ?? [] }))
  const live = stored.feeds.filter(({ liveLines }) => liveLines.length > 0).length
  const open = stored.feeds.reduce((sum, { openGaps }) => sum + openGaps.length, 0)
  const gaps = stored.coverage.uncovered.filter(({ state }) => state === 'gap').length
  const all = lines.flatMap(({ spans }) => spans)
  head.push(
    `books      ${live} of ${stored.feeds.length} live on some line; ${shareText(all, window, lines.length)} of the last 24 h known, ${gaps} gaps; ${open} open on a line`,
    `           ${SIGNS.live} known, ${SIGNS.gap} an hour with a gap, ${SIGNS.off} not recorded`,
  )
  const shown = fitting(lines, rows === null ? null : rows - head.length - 3)
  const body = shown.map(({ of, spans }) => [
    of.symbol,
    of.feed,
    of.liveLines.length > 0 ? `live on ${of.liveLines.join(', ')}` : 'not live',
    strip(spans, window),
    shareText(spans, window, 1),
    of.lastReceived?.replace(/\.\d+/, '') ?? 'nothing yet',
    of.openGaps.length === 0 ? 'none' : of.openGaps.map((gap) => `${gap.stream}: ${gap.cause}`).join(', '),
  ])
  const titles = ['symbol', 'feed', 'book', 'last 24 h', 'known', 'last received', 'open gaps']
  const left = lines.filter((line) => !shown.includes(line))
  const more =
    left.length === 0 ? '' : `and ${left.length} more books${left.every(isWell) ? ', all of them well' : ''}\n`
  return `${head.join('\n')}\n\n${table(titles, body)}${more}`
}

function recorderLines(recorder: RecorderLook | null, url: string): readonly string[] {
  if (recorder === null) return [`recorder   none answers at ${url}`]
  const { line, version, missing, booksLive, books, backlog, lastCommitAgeSeconds, lagBoundSeconds } = recorder
  const [first, ...others] = missing
  const ready =
    first === undefined ? 'ready' : `not ready: ${first}${others.length === 0 ? '' : `, and ${others.length} more`}`
  const lag =
    lagBoundSeconds === null
      ? 'nothing stored yet'
      : `99 % of messages stored within ${Number.isFinite(lagBoundSeconds) ? `${lagBoundSeconds} s` : 'more than can be told'}`
  const used = `journal ${mebibytes(recorder.journalBytes)} of ${mebibytes(recorder.journalLimitBytes)}`
  return [
    `recorder   ${url}: line ${line}, version ${version}, ${booksLive} of ${books} books live, ${ready}`,
    `storing    backlog ${backlog}, last commit ${lastCommitAgeSeconds.toFixed(1)} s ago, ${lag}, ${used}`,
  ]
}

type Line = Readonly<{ of: FeedStatus; spans: readonly UncoveredSpan[] }>

/** Where there is no room for all, those that something is the matter with come first. */
function fitting(lines: readonly Line[], room: number | null): readonly Line[] {
  if (room === null || lines.length <= room) return lines
  return [...lines.filter((line) => !isWell(line)), ...lines.filter(isWell)].slice(0, Math.max(1, room - 1))
}

function isWell({ of }: Line): boolean {
  return of.liveLines.length > 0 && of.openGaps.length === 0
}

type Window = Readonly<{ fromMs: number; toMs: number }>

function strip(spans: readonly UncoveredSpan[], { fromMs }: Window): string {
  return Array.from({ length: STRIP_HOURS }, (_, hour) => {
    const begins = fromMs + hour * HOUR_MS
    const within = spans.filter((span) => span.fromMs < begins + HOUR_MS && span.toMs > begins)
    if (within.some(({ state }) => state === 'gap')) return SIGNS.gap
    const off = within.find((span) => span.state === 'off')
    return off !== undefined && off.fromMs <= begins && off.toMs >= begins + HOUR_MS ? SIGNS.off : SIGNS.live
  }).join('')
}

/** Of the time in which books were to be recorded; never rounded up to a whole that it is not. */
function shareText(spans: readonly UncoveredSpan[], { fromMs, toMs }: Window, books: number): string {
  const lengthOf = (state: 'gap' | 'off'): number =>
    spans.reduce((sum, span) => (span.state === state ? sum + span.toMs - span.fromMs : sum), 0)
  const wanted = books * (toMs - fromMs) - lengthOf('off')
  if (wanted <= 0) return '-'
  const gap = lengthOf('gap')
  return gap === 0 ? '100 %' : `${(Math.floor((1 - gap / wanted) * 100_000) / 1_000).toFixed(3)} %`
}

function mebibytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

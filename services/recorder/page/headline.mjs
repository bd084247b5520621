import { byId, make, setAttribute, setText } from './dom.mjs'
import { agoText, bytesText, counted, countText, instantText, shareText, spanText, timeText } from './format.mjs'

/** @import { CoverageLook, Overview } from '../src/status-wire.ts' */

/** What is the matter, in one sentence, and what belongs to it.
 * @typedef {Readonly<{ state: 'good' | 'warn' | 'bad', sentence: string, details: readonly string[] }>} Verdict */

/** Rows this late are no accident of one batch. */
const LATE_MS = 10_000

/** @param {Overview} look @returns {Verdict} */
export function verdictOf({ missing, missingCount, symbols, trouble, backlog, sinceCommitMs, nowMs }) {
  const books = symbols.flatMap((symbol) => symbol.books)
  const liveCount = books.filter((book) => book.liveSinceMs !== null).length
  const more = missingCount > missing.length ? [`and ${counted(missingCount - missing.length, 'more thing')}`] : []
  if (books.length === 0) return { state: 'warn', sentence: 'Recording has not begun yet.', details: missing }
  if (trouble !== null) {
    const since = instantText(trouble.sinceMs, nowMs)
    return {
      state: 'bad',
      sentence: `The database has taken no rows since ${since}. Nothing is lost: ${counted(backlog, 'entry', 'entries')} wait in the journal.`,
      details: [`${trouble.reason} (${trouble.class})`, ...booksMissing(liveCount, books.length)],
    }
  }
  if (liveCount < books.length) {
    const sentence = `${countText(books.length - liveCount)} of ${counted(books.length, 'book')} ${books.length - liveCount === 1 ? 'is' : 'are'} not live.`
    return { state: liveCount === 0 ? 'bad' : 'warn', sentence, details: [...missing, ...more] }
  }
  if (missingCount > 0)
    return { state: 'warn', sentence: 'Every book is live; not all is stored yet.', details: [...missing, ...more] }
  const stored = sinceCommitMs !== null && sinceCommitMs < LATE_MS ? 'rows are being stored' : 'rows are late'
  return {
    state: 'good',
    sentence: `Recording: ${books.length === 1 ? 'the one book is' : `all ${countText(books.length)} books are`} live, ${stored}.`,
    details: [],
  }
}

/** @param {number} live @param {number} all */
function booksMissing(live, all) {
  return live === all
    ? [`All ${counted(all, 'book')} live; recording goes on.`]
    : [`${countText(live)} of ${counted(all, 'book')} live.`]
}

const SIGNS = { good: '✓', warn: '!', bad: '✕', unknown: '…' }

/** @param {Verdict | Readonly<{ state: 'unknown', sentence: string, details: readonly string[] }>} verdict */
export function showVerdict({ state, sentence, details }) {
  setAttribute(byId('headline'), 'class', state)
  setText(byId('sign'), SIGNS[state])
  setText(byId('sentence'), sentence)
  const list = byId('details')
  while (list.childElementCount > details.length) list.lastElementChild?.remove()
  while (list.childElementCount < details.length) list.append(make('li'))
  for (const [at, detail] of details.entries()) setText(/** @type {Element} */ (list.children[at]), detail)
}

/** @param {Overview} look */
export function showIdentity({ line, venue, version, nowMs }) {
  const place =
    venue === 'simulated' ? 'the simulated exchange' : venue === 'gemini' ? 'Gemini' : 'Gemini\u2019s sandbox'
  setText(byId('identity'), `line ${line} at ${place}, version ${version}`)
  setText(byId('clock'), `${timeText(nowMs)} UTC`)
}

/** Name, value and a note of each figure. @param {Overview} look @param {CoverageLook | null} coverage */
export function figuresOf(look, coverage) {
  const books = look.symbols.flatMap((symbol) => symbol.books)
  const live = books.filter((book) => book.liveSinceMs !== null).length
  const open = books.reduce((sum, book) => sum + book.open.length, 0)
  const day = (coverage?.books ?? []).reduce(
    (sum, book) => ({ live: sum.live + book.liveMs, gap: sum.gap + book.gapMs }),
    { live: 0, gap: 0 },
  )
  const lag = look.pace.lagMs.at(-1) ?? null
  const { equalCount, differentCount } = look.audits
  return /** @type {const} */ ([
    ['Books live', `${countText(live)} of ${countText(books.length)}`, counted(look.symbols.length, 'symbol')],
    ['Known, 24 h', shareText(day.live, day.gap), 'of all books\u2019 time'],
    ['Open gaps', countText(open), open === 0 ? 'nothing missing now' : 'marked in the list'],
    ['Commit lag', lag === null ? '–' : spanText(lag), 'the slowest message'],
    [
      'Backlog',
      countText(look.backlog),
      look.sinceCommitMs === null ? 'nothing stored yet' : `last commit ${agoText(look.sinceCommitMs)} ago`,
    ],
    ['Journal', bytesText(look.journalBytes), `of ${bytesText(look.journalLimitBytes)}`],
    [
      'Audits',
      differentCount === 0 ? `${countText(equalCount)} equal` : `${countText(differentCount)} different`,
      differentCount === 0 ? 'none different' : `${countText(equalCount)} equal`,
    ],
    ['Running', spanText(look.nowMs - look.startedMs), `since ${instantText(look.startedMs, look.nowMs)}`],
  ])
}

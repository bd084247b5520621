import { bodyOf, byId, setRows, setText } from './dom.mjs'
import { countText, instantText, spanText } from './format.mjs'

/** @import { AuditLine, Overview } from '../src/status-wire.ts' */

const METHODS = /** @type {Readonly<Record<string, string>>} */ ({
  depth: 'the venue\u2019s whole book',
  cross_feed: 'the other feed',
  rest: 'REST\u2019s book',
  book_ticker: 'the venue\u2019s best prices',
})
const STATES = /** @type {Readonly<Record<string, readonly [text: string, className: string]>>} */ ({
  open: ['▲ open', 'bad'],
  closed: ['closed', ''],
  filled: ['✓ filled', 'good'],
  unfillable: ['✕ not to be had', 'bad'],
})

/** The gaps of this recorder. @param {Overview} look */
export function showGaps({ gaps, nowMs }) {
  setRows(
    bodyOf('gaps'),
    gaps.map((gap) => {
      const [state, className] = STATES[gap.state] ?? [gap.state, '']
      return [
        instantText(gap.fromMs, nowMs),
        `${gap.symbol} ${gap.feed}`,
        gap.stream,
        { text: spanText((gap.toMs ?? nowMs) - gap.fromMs), className: 'number' },
        `${gap.meaning} (${gap.cause})`,
        { text: state, className },
      ]
    }),
  )
  byId('no-gaps').hidden = gaps.length > 0
}

/** Those that found a difference stay on top. @param {Overview} look */
export function showAudits({ audits, nowMs }) {
  const { equalCount, differentCount, different, latest } = audits
  const counts = `${countText(equalCount)} found the book equal, ${countText(differentCount)} found another one`
  setText(
    byId('audit-counts'),
    equalCount + differentCount === 0
      ? 'None yet: the first comes half a minute after a book is live.'
      : `Since this recorder started, ${counts}.`,
  )
  const rest = latest.filter((audit) => audit.result !== 'different')
  setRows(
    bodyOf('audits'),
    [...different, ...rest].map((audit) => auditRow(audit, nowMs)),
  )
}

/** @param {AuditLine} audit @param {number} nowMs */
function auditRow({ symbol, feed, method, result, levelsCompared, levelsDifferent, atMs }, nowMs) {
  const isEqual = result === 'equal'
  return [
    instantText(atMs, nowMs),
    `${symbol} ${feed}`,
    METHODS[method] ?? method,
    { text: countText(levelsCompared), className: 'number' },
    { text: isEqual ? '✓ equal' : `✕ ${countText(levelsDifferent)} different`, className: isEqual ? 'good' : 'bad' },
  ]
}

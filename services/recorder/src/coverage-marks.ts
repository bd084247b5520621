import type { MissedSpan, UncoveredSpan } from '@booktape/store'
import { meaningOf } from './gap-meaning.ts'
import type { CoverageMark } from './status-wire.ts'

/** A day in steps of a minute, a sixtieth of the shortest strip: gaps closer together cannot be told apart, and become one mark. */
export const STRIP_STEPS = 1_440
/** What a mark says is read in one look: the most frequent reasons. */
export const MAX_REASONS = 4

type Group = {
  readonly state: 'gap' | 'off'
  readonly fromMs: number
  toMs: number
  count: number
  lostMs: number
  readonly reasons: Map<string, number>
}

/** What a book's strip shows: where no line knew it, and why. Both lists by their beginning; `missed` is of all lines. */
export function coverageMarks(
  uncovered: readonly UncoveredSpan[],
  missed: readonly MissedSpan[],
  window: Readonly<{ fromMs: number; toMs: number }>,
): readonly CoverageMark[] {
  const stepMs = (window.toMs - window.fromMs) / STRIP_STEPS
  const groups: Group[] = []
  for (const { state, fromMs, toMs } of uncovered) {
    const last = groups.at(-1)
    if (last === undefined || last.state !== state || fromMs - last.toMs >= stepMs) {
      groups.push({ state, fromMs, toMs, count: 1, lostMs: toMs - fromMs, reasons: new Map() })
      continue
    }
    last.toMs = toMs
    last.count++
    last.lostMs += toMs - fromMs
  }
  let first = 0 // the first group that ends after the gap begins: never goes back, as gaps come by their beginning
  for (const gap of missed) {
    while ((groups[first]?.toMs ?? Number.POSITIVE_INFINITY) <= gap.fromMs) first++
    for (let at = first; at < groups.length; at++) {
      const group = groups[at] as Group
      if (group.fromMs >= (gap.toMs ?? Number.POSITIVE_INFINITY)) break
      if (group.state === 'off') continue // nothing was to be recorded, whatever else is said of it
      const reason = `line ${gap.line}: ${meaningOf(gap.cause)} (${gap.cause})`
      group.reasons.set(reason, (group.reasons.get(reason) ?? 0) + 1)
    }
  }
  return groups.map(({ reasons, ...mark }) => ({ ...mark, reasons: mostFrequent(reasons) }))
}

function mostFrequent(reasons: ReadonlyMap<string, number>): readonly string[] {
  return [...reasons]
    .sort(([, a], [, b]) => b - a)
    .slice(0, MAX_REASONS)
    .map(([reason, count]) => (count === 1 ? reason : `${reason}, ${count} times`))
}

import type { Moment } from './replay.ts'
import { US_PER_S } from './virtual-time.ts'
import type { World } from './world.ts'

/**
 * Trades of the new API ride outside any sequence, so nobody can see later that one is missing: while no connection of it is
 * open, every symbol is in a gap of its trades, from the very moment on, whatever REST knows afterwards (G17).
 */
export function checkDeadLines(world: World, moments: readonly Moment[]): void {
  if (!world.run.feeds.includes('ws')) return
  let journalId = ''
  let hadLine = false
  const lines = new Set<string>() // sessions that are open
  const gaps = new Map<string, string>() // open ones of trades: id and symbol
  for (const moment of moments) {
    if (moment.journalId !== journalId) {
      journalId = moment.journalId
      hadLine = false
      lines.clear()
      gaps.clear()
    }
    if (moment.records.length === 0) continue
    for (const record of moment.records) {
      if (record.kind === 'session_opened' && record.feed === 'ws') lines.add(record.sessionId)
      if (record.kind === 'session_closed') lines.delete(record.sessionId)
      if (record.kind === 'gap_opened' && record.feed === 'ws' && record.stream === 'trades')
        gaps.set(record.gapId, record.symbol)
      if (record.kind === 'gap_closed' || record.kind === 'gap_withdrawn') gaps.delete(record.gapId)
    }
    hadLine ||= lines.size > 0
    if (!hadLine || lines.size > 0) continue
    const silent = world.run.symbols.find((symbol) => ![...gaps.values()].includes(symbol))
    if (silent !== undefined) {
      return world.violate(
        `G17: at ${(moment.us / US_PER_S).toFixed(3)} s no connection of the new API is open, and the trades of ${silent} are in no gap`,
      )
    }
  }
}

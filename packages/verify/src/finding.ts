/**
 *   altered    a row is not what was written
 *   missing    a row that was written is gone
 *   surplus    a row is there that was never written
 *   broken     rows contradict each other: ids do not chain, books differ, a gap is not told
 */
export type FindingKind = 'altered' | 'missing' | 'surplus' | 'broken'

/** One thing that is wrong with a recording, in words that name the rows. */
export type Finding = Readonly<{
  kind: FindingKind
  relation: string // the table, or `book_messages` for messages in chunks too
  symbol: string | null
  feed: string | null
  line: string | null
  at: string | null // an instant, or the beginning of the hour
  sentence: string
}>

/** `btcusd on ws, line a`: of what a row has. */
export function placeText({ symbol, feed, line }: Pick<Finding, 'symbol' | 'feed' | 'line'>): string {
  const book = [symbol, feed].filter((word) => word !== null && word !== '').join(' on ')
  return [book, line === null || line === '' ? '' : `line ${line}`].filter((part) => part !== '').join(', ')
}

export { type BackfillEvent, type BackfillOptions, backfill } from './backfill.ts'
export { BACKFILL_PROBLEMS, BackfillError, type BackfillProblem } from './errors.ts'
export { type HoleLeft, REASONS_LEFT } from './plan.ts'
export type { SymbolReport } from './symbol-tally.ts'

export { type BackfillEvent, type BackfillOptions, backfill, type SymbolReport } from './backfill.ts'
export { BACKFILL_PROBLEMS, BackfillError, type BackfillProblem } from './errors.ts'
export { type HoleLeft, REASONS_LEFT } from './plan.ts'

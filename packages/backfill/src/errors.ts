export const BACKFILL_PROBLEMS = [
  'WRONG_DATABASE', // it holds the data of another venue
  'REFUSED', // REST will not answer this question, however often it is asked
  'UNREACHABLE', // REST did not answer for longer than is waited
  'STUCK', // REST gives the same page again and again
  'STOPPED', // as asked, before the end
] as const
export type BackfillProblem = (typeof BACKFILL_PROBLEMS)[number]

/** Why a backfill ended before its end. The message names what was asked, what came and the next step; what is stored stays. */
export class BackfillError extends Error {
  readonly code: BackfillProblem

  constructor(code: BackfillProblem, message: string) {
    super(message)
    this.name = 'BackfillError'
    this.code = code
  }
}

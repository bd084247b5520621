/** What the database did that a retry of the same batch cannot mend, but for `AWAY`. */
export const STORE_PROBLEMS = [
  'AWAY', // not reachable or not ready now: ask again later
  'POSITION_MOVED', // the journal's position is neither where the batch begins nor where it ends
  'REFUSED', // login or permission refused, or no such database
  'SCHEMA', // a table, column or function is missing
  'UNSTORABLE', // more rows are refused than may be set aside, or a change is
  'PROTOCOL', // we broke Postgres's protocol
  'TLS', // the server has no TLS, or a certificate that does not prove its name
  'BAD_URL', // the database URL cannot be used
  'UNEXPECTED', // an error with no meaning here
] as const
export type StoreProblem = (typeof STORE_PROBLEMS)[number]

/** The message names what was asked, what was answered and the next step; never a password. */
export class StoreError extends Error {
  readonly code: StoreProblem

  constructor(code: StoreProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.code = code
  }
}

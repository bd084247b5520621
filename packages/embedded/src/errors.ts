/** Why the embedded Postgres could not be had. */
export type EmbeddedCode =
  | 'UNSUPPORTED_PLATFORM' // no binaries for this system
  | 'NO_USER_NAMESPACE' // root, and this system lets nobody become less
  | 'DIRECTORY' // the directory cannot be made, read or written
  | 'IN_USE' // another living booktape owns this directory
  | 'INITIALIZE' // initdb failed
  | 'START' // Postgres would not start
  | 'STOP' // Postgres would not stop

/** The message is a sentence for the operator: what, why, and the next step. It never holds the password. */
export class EmbeddedError extends Error {
  override name = 'EmbeddedError'
  readonly code: EmbeddedCode

  constructor(code: EmbeddedCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export const USE_YOUR_OWN = 'or set DATABASE_URL to a Postgres of your own'

/**
 * What the journal cannot do, by code.
 *
 *   LOCKED         another process has the directory open
 *   NEWER_FORMAT   a segment was written by a newer booktape; nothing was touched
 *   WRITE_FAILED   the disk refused a write; the process must end
 *   SYNC_FAILED    the disk refused a sync; what it lost is unknown, so the process must end and never sync again
 *   DAMAGED        a segment does not read back as it was written (always a JournalDamageError)
 *   RELEASED       the entries asked for were deleted by retention
 *   FULL           the limit and its reserve are used up
 *   OVERRUN        the caller went on appending long after shouldPause
 *   CLOSED         the journal was closed
 */
export type JournalErrorCode =
  | 'LOCKED'
  | 'NEWER_FORMAT'
  | 'WRITE_FAILED'
  | 'SYNC_FAILED'
  | 'DAMAGED'
  | 'RELEASED'
  | 'FULL'
  | 'OVERRUN'
  | 'CLOSED'

export class JournalError extends Error {
  override name = 'JournalError'
  readonly code: JournalErrorCode

  constructor(code: JournalErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/** Entries in `position` .. `resumesAt - 1` of an older segment cannot be read; reading can go on at `resumesAt`. */
export class JournalDamageError extends JournalError {
  override name = 'JournalDamageError'
  readonly segment: string
  readonly position: number
  readonly resumesAt: number

  constructor(segment: string, position: number, resumesAt: number, reason: string) {
    super(
      'DAMAGED',
      `segment ${segment} cannot be read from position ${position} on (${reason}); ` +
        `disclose positions ${position} to ${resumesAt - 1} as lost and read on at ${resumesAt}`,
    )
    this.segment = segment
    this.position = position
    this.resumesAt = resumesAt
  }
}

/** The code of a node:fs error, or '' for anything else. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

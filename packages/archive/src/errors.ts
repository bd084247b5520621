/** What is wrong with an archive. */
export const ARCHIVE_PROBLEMS = [
  'BAD_PLACE', // the address of the archive cannot be used
  'UNREACHABLE', // the folder or the object storage refuses or does not answer: mend it, then run again
  'MISSING', // a file that was published is gone
  'DAMAGED', // a file is not what was published
  'DIFFERENT', // what was written is not what the database holds: nothing of it was published
  'NOT_ARCHIVED', // a day that was asked for is not in it
  'OLDER', // written by a version of booktape that is too old
  'NEWER', // written by a later version of booktape
] as const
export type ArchiveProblem = (typeof ARCHIVE_PROBLEMS)[number]

/** The message names the file, what is wrong with it and the next step. */
export class ArchiveError extends Error {
  override name = 'ArchiveError'
  readonly code: ArchiveProblem

  constructor(code: ArchiveProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A day that retention has dropped cannot be archived again. */
export const REMEDY = 'Restore it from a copy, or, while the database has that day, archive it with --again.'

/** `what` goes on where `path` begins the sentence: `is not there`. */
export function missing(path: string, what: string): ArchiveError {
  return new ArchiveError('MISSING', `${path} ${what}. ${REMEDY}`)
}

export function damaged(path: string, what: string, options?: ErrorOptions): ArchiveError {
  return new ArchiveError('DAMAGED', `${path} ${what}. ${REMEDY}`, options)
}

/** What is wrong with an archive. */
export const ARCHIVE_PROBLEMS = [
  'BAD_PLACE', // the address of the archive cannot be used
  'UNREACHABLE', // the folder or the object storage refuses or does not answer: mend it, then run again
  'DAMAGED', // a file is missing or is not what its manifest says
  'DIFFERENT', // what was written is not what the database holds: nothing of it was published
  'NOT_ARCHIVED', // a day that was asked for is not in it
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

export { type ArchiveProgress, type ArchiveRun, archiveDays } from './archive-days.ts'
export { ARCHIVE_PROBLEMS, ArchiveError, type ArchiveProblem } from './errors.ts'
export { nameOf, type Placed, type Unit } from './layout.ts'
export { openArchive } from './open-archive.ts'
export { openStorage } from './place.ts'
export type { Published } from './publish-unit.ts'
export type { ArchiveStorage } from './storage.ts'
export {
  type ArchiveFinding,
  type ArchiveReport,
  type ArchiveVerifyEvent,
  type VerifyArchiveOptions,
  verifyArchive,
} from './verify-archive.ts'

export type { Checkpoint } from './checkpoints.ts'
export type { Disk, DiskFile } from './disk.ts'
export { nodeDisk } from './disk.ts'
export type { Entry, NewEntry } from './entry.ts'
export type { JournalErrorCode } from './errors.ts'
export { JournalDamageError, JournalError } from './errors.ts'
export type { JournalOptions } from './journal.ts'
export { Journal } from './journal.ts'
export {
  DEFAULT_SEGMENT_BYTES,
  MAX_PAYLOAD_BYTES,
  MAX_UNSYNCED_BYTES,
  READ_BATCH_BYTES,
  RESERVE_BYTES,
} from './limits.ts'
export { type Lock, type LockSubject, takeLock } from './lock.ts'
export type { BreakReason, Damage, Recovery } from './recovery.ts'

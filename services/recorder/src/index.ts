export { type Checkpoint, fastForward, loadCheckpoint } from './checkpoint.ts'
export { type RecorderConfig, readRecorderConfig, readRestConfig } from './config.ts'
export { WrongDatabaseError } from './contact.ts'
export { Corridor } from './corridor.ts'
export { claimDataDir } from './data-dir.ts'
export { readEntry } from './entries.ts'
export { Fleet } from './fleet.ts'
export { RECORDER_METRICS } from './metric-table.ts'
export { type RecorderParts, record } from './recorder.ts'
export { isRestOrder, obeyRest, pathOf } from './rest-orders.ts'
export {
  type BatchWriter,
  DamageFoundError,
  type Gathered,
  LostEntriesError,
  OPERATOR_MENDS,
  Scribe,
} from './scribe.ts'
export { symbolsOfShard } from './shard.ts'

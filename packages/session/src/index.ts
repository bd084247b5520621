export { type Backoff, backoffMs, DIAL_BACKOFF, msToNs, STABLE_MS } from './backoff.ts'
export { continuity } from './continuity.ts'
export {
  advance,
  type CorridorState,
  FROM_FIRST_ENTRY,
  newCorridorState,
  type Session,
  STATE_VERSION,
  SYMBOLS_PER_WS_CONNECTION,
  trackKey,
} from './corridor.ts'
export {
  type ConnectionEvent,
  type CorridorEvent,
  type Instant,
  type Refusal,
  type RestReply,
  type RunSettings,
  TICK_MS,
} from './event.ts'
export { refusalWaitMs } from './link.ts'
export { tracksOf } from './rotation.ts'
export {
  ANOMALIES,
  type Anomaly,
  type Observation,
  type Order,
  type RestOrder,
  type SocketOrder,
  type Step,
} from './step.ts'
export type { Epoch, OpenGap, Track } from './track.ts'

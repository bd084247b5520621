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
  type ReadFrom,
  type RestOrder,
  type SocketOrder,
  type Step,
} from './step.ts'
export type { Epoch, OpenGap, Track } from './track.ts'
export { cursorAfter, readTradesPage, tradeRecords } from './trade-page.ts'
export { CLOCK_DOUBT_MS, REPAIR_RETRY_MS, REST_REACH_MS, UNDER_WAY_MS } from './trade-repair.ts'

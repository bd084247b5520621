import type { Feed } from '@booktape/market'

/** When an entry was written down: `wallNs` is stored with rows, `monoNs` runs timers and never steps. */
export type Instant = Readonly<{ wallNs: bigint; monoNs: bigint }>

/** What one run of the recorder was told. Part of the journal, so that a replay makes the same rows. */
export type RunSettings = Readonly<{
  runId: string
  line: string
  symbols: readonly string[]
  feeds: readonly Feed[]
  v1Url: string
  wsUrl: string
  snapshotIntervalMs: number
  /** Connections are replaced after this long; null, or absent in old journals: never. */
  rotateAfterMs?: number | null
}>

/** Why a connection could not be made. `status` is the HTTP status, null where the network or TLS failed. */
export type Refusal = Readonly<{ status: number | null; retryAfterMs: number | null; reason: string }>

/** Everything that can happen to a recorder: one journal entry each. */
export type CorridorEvent = ProcessEvent | SessionEvent | ReplyEvent

/** What concerns the whole process. */
export type ProcessEvent =
  | Readonly<{ kind: 'started'; at: Instant; run: RunSettings }>
  | Readonly<{ kind: 'stopped'; at: Instant }>
  | Readonly<{ kind: 'suspended'; at: Instant }> // the journal is full: every connection is given up until `resumed`
  | Readonly<{ kind: 'resumed'; at: Instant }>
  | Readonly<{ kind: 'damaged'; at: Instant }> // never written: stands in a replay for entries that cannot be read

/** What moves a session: time, for all of them, and what happens on a connection, for the one it belongs to. */
export type SessionEvent = Readonly<{ kind: 'tick'; at: Instant }> | ConnectionEvent

export type ConnectionEvent =
  | Readonly<{ kind: 'dialing'; at: Instant; connection: number; session: string; sessionId: string; url: string }>
  | Readonly<{ kind: 'opened'; at: Instant; connection: number }>
  | Readonly<{ kind: 'refused'; at: Instant; connection: number; refusal: Refusal }>
  | Readonly<{ kind: 'closed'; at: Instant; connection: number; code: number; reason: string }>
  | FrameEvent

export type FrameEvent = Readonly<{
  kind: 'frame'
  at: Instant
  connection: number
  messageSeq: number
  isBinary: boolean
  payload: Uint8Array
}>

/** What REST answered. */
export type ReplyEvent =
  | Readonly<{ kind: 'symbol_details'; at: Instant; body: string }>
  | Readonly<{ kind: 'trades_page'; at: Instant; symbol: string; status: number | null; body: string }>
  | Readonly<{ kind: 'book_page'; at: Instant; symbol: string; status: number | null; body: string }>

/** What came of an order to REST, before it is written down. */
export type RestReply = Omit<Extract<ReplyEvent, { kind: 'trades_page' }>, 'at' | 'kind'> &
  Readonly<{ kind: 'trades_page' | 'book_page' }>

/** How often a `tick` is written: the grain of every timer below. */
export const TICK_MS = 250

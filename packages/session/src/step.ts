import type { Feed, GapCause, MarketRecord } from '@booktape/market'

/** What goes back up the corridor: to the sockets, and to REST. */
export type Order = SocketOrder | RestOrder

export type SocketOrder =
  | Readonly<{ kind: 'dial'; session: string; feed: Feed; url: string }>
  | Readonly<{ kind: 'hang_up'; connection: number }>
  | Readonly<{ kind: 'send'; connection: number; text: string }>

/** Trades after an id, or after a time where no id is known. */
export type ReadFrom = Readonly<{ tradeId: bigint }> | Readonly<{ timeMs: bigint }>

/** `from` null: the newest trades there are. */
export type RestOrder =
  | Readonly<{ kind: 'fetch_trades'; symbol: string; from: ReadFrom | null }>
  | Readonly<{ kind: 'fetch_book'; symbol: string }>

/** Odd but harmless: counted, never an error. */
export const ANOMALIES = [
  'stale_update', // an update that tells nothing new
  'overlapping_update', // an update that starts before the book ends, far from any snapshot
  'absent_level_removed',
  'delta_mismatch', // v1: old quantity + delta is not the new quantity
  'crossed_book',
  'unmarked_snapshot', // a first depth message that is no believable snapshot
  'unexpected_symbol', // a message about a symbol we did not ask for
  'unmatched_reply', // an answer to no request of ours
  'ticker_mismatch', // the venue's best prices differ from the book at the same id
  'audit_unaligned', // the book and the venue's answers never stood at one id
  'next_convention', // ids continue at last + 1: the venue may have changed its chain
] as const
export type Anomaly = (typeof ANOMALIES)[number]

/** For metrics and logs; nothing is stored from these. */
export type Observation =
  | Readonly<{ kind: 'message'; feed: Feed; symbol: string | null; message: string; eventTimeNs: bigint | null }>
  | Readonly<{ kind: 'changes'; feed: Feed; symbol: string; count: number }>
  | Readonly<{ kind: 'anomaly'; feed: Feed; symbol: string | null; anomaly: Anomaly; count: number }>
  | Readonly<{ kind: 'resync'; feed: Feed; symbol: string; cause: GapCause }>
  | Readonly<{ kind: 'connect'; feed: Feed; session: string; result: 'opened' | 'refused' | 'closed'; reason: string }>
  | Readonly<{ kind: 'parked'; feed: Feed; symbol: string; reason: string; retryInMs: number }>
  | Readonly<{ kind: 'unrecorded'; feed: Feed; message: string }> // quarantine is full for this minute
  | Readonly<{ kind: 'rate_limits'; text: string }>
  | Readonly<{ kind: 'unreadable_reply'; what: 'details' | 'trades' | 'book'; reason: string }>

/** What one entry led to, gathered while it is taken. */
export type Step = { records: MarketRecord[]; orders: Order[]; observations: Observation[] }

export function emptyStep(): Step {
  return { records: [], orders: [], observations: [] }
}

import type { Dice } from './dice.ts'

/** Everything that may go wrong in a simulated world, and what it is. */
export const FAULT_KINDS = {
  // the network
  slow_network: 'everything takes up to two seconds for a while',
  network_stall: 'one connection delivers nothing for a while, then everything at once',
  cut: 'one connection is cut without a word',
  half_open: 'one connection is dead and nobody is told',
  venue_close: 'the venue closes one connection with a code and a reason',
  venue_silent: 'the venue answers nothing more on one connection',
  accept_then_close: 'the next connection is closed right after it was opened',
  unreachable: 'the next dial is refused by the network',
  dial_timeout: 'the next dial is never answered',
  refused_429: 'the next upgrade is answered 429, with Retry-After',
  refused_503: 'the next upgrades are answered 503',
  refused_403: 'the next upgrade is answered 403',
  rest_lost: 'the next requests of REST are never answered',
  rest_refused: 'the next requests of REST are refused',
  // what the venue sends
  drop: 'a frame is not sent',
  drop_two: 'two frames in a row are not sent',
  duplicate: 'a frame is sent twice',
  swap: 'two frames change places',
  delay: 'a frame is sent some seconds late',
  malformed: 'a frame is cut in half',
  binary: 'a frame is sent as binary',
  unknown_type: 'a frame of an unknown type is sent',
  unknown_symbol: 'a frame of an unknown symbol is sent',
  omit_snapshot: 'the next snapshot is not sent',
  late_snapshot: 'the next snapshot is sent late',
  duplicate_snapshot: 'the next snapshot is sent twice',
  stop_publishing: 'nothing of one symbol is sent for a while',
  refuse_subscribe: 'the next subscription of one symbol is refused',
  wrong_first_sequence: 'the next connection of v1 does not begin at 0',
  empty_book: 'all orders of one symbol are withdrawn for a while',
  unsubscribed: 'the venue forgets one subscription',
  ids_restart: 'the venue begins to count its ids anew',
  corrupt: 'a quantity is wrong',
  // the disk
  short_write: 'a write takes only a part, and does not say so',
  write_error: 'a write fails',
  sync_error: 'a sync fails, and what was to be synced is lost in parts',
  disk_full: 'the disk is full for a while',
  slow_sync: 'syncs take up to five seconds for a while',
  bit_flip: 'one bit of an older segment turns',
  tail_lost: 'the power goes, and the disk has not kept what it had confirmed: no promise holds for a disk that lies',
  checkpoint_damaged: 'one bit of a checkpoint turns, and the process is killed',
  checkpoint_lost: 'the newest checkpoint disappears, and the process is killed',
  journal_full: 'the journal reaches its limit',
  // the database
  database_down: 'the database is away for a while',
  database_slow: 'commits take up to eight seconds for a while',
  lost_before_commit: 'the connection is lost before the commit',
  lost_after_commit: 'the commit is done and its answer is lost',
  transaction_refused: 'a transaction is refused, with any of the reasons worth a retry',
  position_away: 'nobody answers when the written position is asked for',
  failover: 'another database takes over, and the last commits are not in it',
  // the process
  kill: 'the process is killed',
  double_kill: 'the process is killed, and again while it starts',
  power_loss: 'the power goes: what was not synced is lost',
  torn_write: 'the power goes in the middle of a write',
  power_loss_at_segment: 'the power goes right after a segment of the journal was begun',
  stop: 'the process is told to stop, and started again',
  loop_stall: 'the process does nothing for a while',
  wall_jump: 'the clock of the day is set to another time',
  wall_smear: 'the clock of the day runs off by some milliseconds',
} as const

export type FaultKind = keyof typeof FAULT_KINDS
export const ALL_FAULT_KINDS = Object.keys(FAULT_KINDS) as readonly FaultKind[]

/**
 * In the list, never drawn. `corrupt` makes every later book wrong until an audit, which test/sessions.test.ts times; no promise
 * holds for a disk that lies (`tail_lost`); `journal_full` comes by itself, from a journal that is small.
 */
export const KINDS_OFF: readonly FaultKind[] = ['corrupt', 'tail_lost', 'journal_full']

/** A kind is on in this share of the seeds: some runs know one fault only, and some know all. */
export const SHARE_ON = 0.6
/** Seconds between two faults of a kind that is on, on average: drawn for each kind and seed. */
export const INTERVAL_S = [30, 600] as const

/** Which faults this seed knows, and the mean seconds between two of each. */
export function swarm(dice: Dice): ReadonlyMap<FaultKind, number> {
  const rates = new Map<FaultKind, number>()
  for (const kind of ALL_FAULT_KINDS) {
    const isOn = dice.chance(SHARE_ON)
    const intervalS = dice.logBetween(...INTERVAL_S)
    if (isOn && !KINDS_OFF.includes(kind)) rates.set(kind, intervalS)
  }
  return rates
}

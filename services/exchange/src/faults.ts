import type { Feed, Side } from '@booktape/market'
import { FRAME_KINDS, type FrameKind } from '@booktape/venue'

/** Every fault there is, and what it does. `times` is how often (1 unless told). */
export const FAULTS = {
  drop: 'the nth matching frame, and the next ones up to `times`, is not sent',
  duplicate: 'is sent twice',
  swap: 'is sent after the next frame of its connection',
  delay: 'is sent `delayMs` later',
  corrupt: 'the quantity of its first level is wrong',
  malformed: 'is cut in half: no longer JSON',
  binary: 'is sent as a binary message',
  unknown_type: 'ws: a frame of an unknown type goes before it; v1: an element of an unknown type goes into it',
  unknown_symbol: 'ws: goes out once more before, with a symbol nobody knows',
  omit_snapshot: 'the nth matching snapshot is not sent',
  late_snapshot: 'the nth matching snapshot is sent `delayMs` later',
  duplicate_snapshot: 'the nth matching snapshot is sent twice',
  close: 'matching connections are closed now with `code` and `reason`; 1006 cuts them without a closing frame',
  half_open: 'matching connections stay open but fall silent for ever: no frame, no answer, no ping, no pong',
  stop_publishing: 'nothing of `symbol` goes out any more, on any connection, while its market goes on',
  resume_publishing: 'ends stop_publishing',
  refuse_upgrade:
    'the next `times` connections are answered with HTTP `status`, and Retry-After where `retryAfterS` is given',
  refuse_rest:
    'the next `times` REST requests are answered with HTTP `status`, and Retry-After where `retryAfterS` is given',
  refuse_private:
    'the next `times` signed requests are answered with `reason` and HTTP `status` (400 unless told), and Retry-After where `retryAfterS` is given',
  refuse_subscribe: 'the next `times` ws subscribe requests that name `symbol` are refused with -1013',
  wrong_first_sequence: 'the next `times` v1 connections begin at socket_sequence `sequence`',
  empty_book: 'all orders of `symbol`, or of one `side` of it, are withdrawn in one event, and its trading halts',
  reopen_book: 'ends empty_book: orders come back one by one',
  break_trade: 'the newest trade of `symbol` is marked as broken in REST',
} as const

export type FaultName = keyof typeof FAULTS
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[]

export type FaultRequest = Readonly<{
  fault: FaultName
  connection?: number // matches: every condition given must hold
  feed?: Feed
  symbol?: string
  kind?: FrameKind | 'v1' // v1: any frame of a v1 connection
  nth?: number // the first matching frame from now on is 1
  times?: number
  delayMs?: number
  code?: number
  reason?: string
  status?: number
  retryAfterS?: number
  sequence?: number
  side?: Side
}>

/** Whole numbers in a request and their range. */
const RANGES = {
  connection: [1, Number.MAX_SAFE_INTEGER],
  nth: [1, 1_000_000_000],
  times: [1, 1_000_000],
  delayMs: [0, 86_400_000],
  code: [1000, 4999],
  status: [400, 599],
  retryAfterS: [0, 86_400],
  sequence: [0, 1_000_000_000],
} as const

const NEEDS_SYMBOL: readonly FaultName[] = [
  'stop_publishing',
  'resume_publishing',
  'refuse_subscribe',
  'empty_book',
  'reopen_book',
  'break_trade',
]

const KEYS: readonly string[] = ['fault', 'feed', 'symbol', 'kind', 'side', 'reason', ...Object.keys(RANGES)]

/** Reads what a user asks for, from parsed JSON; text says what is wrong with it. */
export function readFaultRequest(value: unknown): FaultRequest | string {
  if (!isObject(value)) return 'a fault is a JSON object, as {"fault":"drop","feed":"ws","kind":"depth"}'
  const stranger = Object.keys(value).find((key) => !KEYS.includes(key))
  if (stranger !== undefined) return `no fault has the field ${JSON.stringify(stranger)}; there are ${KEYS.join(', ')}`
  const { fault, feed, symbol, kind, side, reason } = value
  if (!isOneOf(FAULT_NAMES, fault))
    return `there is no fault ${JSON.stringify(fault)}; there are ${FAULT_NAMES.join(', ')}`
  if (feed !== undefined && feed !== 'v1' && feed !== 'ws') return '"feed" is "v1" or "ws"'
  if (side !== undefined && side !== 'bid' && side !== 'ask') return '"side" is "bid" or "ask"'
  if (symbol !== undefined && typeof symbol !== 'string') return '"symbol" is text'
  if (reason !== undefined && (typeof reason !== 'string' || reason.length > 100))
    return '"reason" is text of at most 100 letters'
  if (kind !== undefined && kind !== 'v1' && !isOneOf(FRAME_KINDS, kind))
    return `"kind" is v1 or one of ${FRAME_KINDS.join(', ')}`
  if (symbol === undefined && NEEDS_SYMBOL.includes(fault)) return `${fault} needs a "symbol"`

  const numbers: Partial<Record<keyof typeof RANGES, number>> = {}
  for (const name of Object.keys(RANGES) as (keyof typeof RANGES)[]) {
    const given = value[name]
    if (given === undefined) continue
    const [least, most] = RANGES[name]
    if (typeof given !== 'number' || !Number.isInteger(given) || given < least || given > most) {
      return `"${name}" is a whole number from ${least} to ${most}`
    }
    numbers[name] = given
  }
  return {
    fault,
    ...numbers,
    ...(feed === undefined ? {} : { feed }),
    ...(symbol === undefined ? {} : { symbol: symbol.toLowerCase() }),
    ...(kind === undefined ? {} : { kind }),
    ...(side === undefined ? {} : { side }),
    ...(reason === undefined ? {} : { reason }),
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOneOf<const T extends string>(names: readonly T[], value: unknown): value is T {
  return names.some((name) => name === value)
}

import {
  type ChangeReason,
  type LevelChange,
  readSignedDecimal,
  type TakerSide,
  type Trade,
  VenueProtocolError,
} from '@booktape/market'
import { excerpt } from './excerpt.ts'
import {
  expectObject,
  readArray,
  readId,
  readMilliseconds,
  readOptionalText,
  readPrice,
  readQuantity,
  readSafeInteger,
  readSymbol,
  readText,
  wrongType,
} from './fields.ts'
import { readJson } from './json.ts'
import type { JsonObject } from './json-value.ts'
import { limitLevels } from './levels.ts'

/** `delta` is the change of quantity as the venue gives it, `null` in top-of-book mode; the book is set by `quantity` alone. */
export type V1Change = LevelChange & Readonly<{ delta: string | null; symbol?: string }>

/** The time is `null` in messages without one: those before 2018. */
export type V1Trade = Omit<Trade, 'eventTimeNs'> & Readonly<{ eventTimeNs: bigint | null; symbol?: string }>

/**
 * One message of v1 marketdata. `sequence` is `socket_sequence`, `null` where a message has none (captures of 2017, and
 * other feeds); `symbol` of changes and trades is there in multimarketdata only. `others` are events that touch neither book
 * nor tape, or that we do not know.
 */
export type V1Message =
  | Readonly<{
      kind: 'update'
      sequence: number | null
      eventId: bigint
      eventTimeNs: bigint | null
      changes: readonly V1Change[]
      trades: readonly V1Trade[]
      others: readonly Readonly<{ type: string }>[]
    }>
  | Readonly<{ kind: 'heartbeat'; sequence: number | null }>
  | Readonly<{ kind: 'refusal'; reason: string; message: string | null }>
  | Readonly<{ kind: 'unknown'; type: string; sequence: number | null }>

/** Reads one frame of v1 marketdata (docs/gemini.md, claims 13 to 16). Throws VenueProtocolError. */
export function decodeV1(text: string): V1Message {
  const object = expectObject(readJson(text), 'a v1 message')
  if (object.get('result') === 'error') {
    const message = readOptionalText(object, 'message')
    return { kind: 'refusal', reason: readOptionalText(object, 'reason') ?? 'no reason given', message }
  }
  const type = readText(object, 'type')
  const sequence = object.has('socket_sequence') ? readSequence(object) : null
  if (type === 'update') return decodeUpdate(object, sequence)
  if (type === 'heartbeat') return { kind: 'heartbeat', sequence }
  return { kind: 'unknown', type, sequence }
}

function readSequence(object: JsonObject): number {
  const sequence = readSafeInteger(object, 'socket_sequence')
  if (sequence < 0) throw new VenueProtocolError('UNREADABLE_NUMBER', `"socket_sequence" is negative: ${sequence}`)
  return sequence
}

function decodeUpdate(object: JsonObject, sequence: number | null): V1Message {
  const eventId = readId(object, 'eventId')
  const eventTimeNs = object.has('timestampms') ? readMilliseconds(object, 'timestampms') : null
  const events = readArray(object, 'events')
  limitLevels(events.length)
  const changes: V1Change[] = []
  const trades: V1Trade[] = []
  const others: { type: string }[] = []
  for (const element of events) {
    const event = expectObject(element, 'an event of v1')
    const type = readText(event, 'type')
    if (type === 'change') changes.push(decodeChange(event))
    else if (type === 'trade') trades.push(decodeTrade(event, eventTimeNs))
    else others.push({ type })
  }
  return { kind: 'update', sequence, eventId, eventTimeNs, changes, trades, others }
}

function decodeChange(event: JsonObject): V1Change {
  const side = readText(event, 'side')
  if (side !== 'bid' && side !== 'ask') throw wrongType('side', `bid or ask: ${excerpt(side)}`)
  const change = {
    side,
    price: readPrice(event.get('price'), 'price'),
    quantity: readQuantity(event.get('remaining'), 'remaining'),
    reason: readReason(event),
    delta: readDelta(event),
  } as const
  return event.has('symbol') ? { ...change, symbol: readSymbol(event, 'symbol') } : change
}

/** A reason we do not know is none: the level is set all the same. */
function readReason(event: JsonObject): ChangeReason | null {
  const reason = readText(event, 'reason')
  switch (reason) {
    case 'initial':
    case 'place':
    case 'trade':
    case 'cancel':
    case 'top-of-book':
      return reason
    default:
      return null
  }
}

function readDelta(event: JsonObject): string | null {
  const text = readOptionalText(event, 'delta')
  if (text === null) return null
  const delta = readSignedDecimal(text)
  if (delta === null) throw new VenueProtocolError('UNREADABLE_NUMBER', `"delta" is not a decimal: ${excerpt(text)}`)
  return delta
}

function decodeTrade(event: JsonObject, eventTimeNs: bigint | null): V1Trade {
  const trade = {
    tradeId: readId(event, 'tid'),
    eventTimeNs,
    price: readPrice(event.get('price'), 'price'),
    quantity: readQuantity(event.get('amount'), 'amount'),
    takerSide: readTakerSide(event),
  }
  return event.has('symbol') ? { ...trade, symbol: readSymbol(event, 'symbol') } : trade
}

/** v1 names the side of the order that rested (docs/gemini.md, claim 16). */
function readTakerSide(event: JsonObject): TakerSide {
  switch (readOptionalText(event, 'makerSide')) {
    case 'ask':
      return 'buy'
    case 'bid':
      return 'sell'
    case 'auction':
      return 'auction'
    default:
      return 'unknown'
  }
}

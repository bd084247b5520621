import { decodeV1, type V1Message } from '@booktape/gemini'
import { type BookUpdate, type GapCause, VenueProtocolError } from '@booktape/market'
import { backoffMs, msToNs, PARK_BACKOFF, V1_DIAL_BACKOFF, V1_SAME_SYMBOL_MS } from './backoff.ts'
import { distrustCrossed } from './crossing.ts'
import type { FrameEvent, Instant, Refusal, RunSettings, SessionEvent } from './event.ts'
import * as links from './link.ts'
import { quarantine } from './quarantine.ts'
import { type Staged, stage } from './staged.ts'
import type { Step } from './step.ts'
import {
  beginEpoch,
  extendEpoch,
  loseBook,
  type MessagePlace,
  noteAnomaly,
  recordTrade,
  snapshotWhenDue,
  type Track,
} from './track.ts'
import { countDeltaMismatches } from './v1-delta.ts'

/**
 * One symbol on the archived marketdata feed: one connection, whose sequence counts every message from 0, heartbeats
 * too (docs/gemini.md, claims 13 and 15). Whatever goes wrong has one cure: hang up and connect again. Trades ride in the
 * same sequence, so a gap of the book is a gap of this feed's trades as well.
 */
export type V1Session = {
  readonly key: string
  readonly feed: 'v1'
  readonly url: string
  readonly track: Track
  link: links.Link
  expectedSequence: number
  /** While another connection still records the symbol (rotation.ts). */
  staged: Staged | null
  isLeft: boolean // another connection has taken the symbol over, or this one will not
  lastMoveNs: bigint // monotonic, when
  lastDialsNs: bigint[] // monotonic, newest last, at most two
}

/** Heartbeats come every 5 s; two missed and a margin (docs/gemini.md, claim 13), found within 12 s by ticks of 250 ms. */
export const V1_SILENCE_MS = 11_500
/** The initial book comes with the first message; a deep one over a slow line takes a while. */
export const SNAPSHOT_DEADLINE_MS = 10_000

export function newV1Session(key: string, url: string, track: Track): V1Session {
  return {
    key,
    feed: 'v1',
    url,
    track,
    link: links.newLink(),
    expectedSequence: 0,
    staged: null,
    isLeft: false,
    lastMoveNs: 0n,
    lastDialsNs: [],
  }
}

export function advanceV1(session: V1Session, event: SessionEvent, run: RunSettings, step: Step): void {
  switch (event.kind) {
    case 'tick':
      return onTick(session, event.at, run, step)
    case 'dialing':
      session.link = links.onDialing(session.link, event)
      session.lastDialsNs = [...session.lastDialsNs, event.at.monoNs].slice(-2)
      return
    case 'opened':
      if (session.link.phase !== 'connecting') return
      session.link = links.onOpened(session.link, 'v1', session.key, event.at, step)
      session.expectedSequence = 0
      return
    case 'refused':
      return onRefused(session, event.at, event.refusal, run, step)
    case 'closed':
      return onClosed(session, event.at, event.code, event.reason, run, step)
    case 'frame':
      return onFrame(session, event, run, step)
  }
}

/** The process ends, or ended without a word: the connection is no more. */
export function abandonV1(session: V1Session, cause: GapCause, at: Instant, run: RunSettings, step: Step): void {
  const { link } = session
  if (link.phase === 'open') {
    lose(session, cause, link.heard.wallNs, run, step)
    links.recordClosed(link, 'v1', session.key, at, null, cause, step)
  }
  session.link = links.newLink()
}

/** Only the connection that records the symbol can lose it. */
function lose(session: V1Session, cause: GapCause, provenNs: bigint, run: RunSettings, step: Step): void {
  if (session.staged === null && !session.isLeft) loseBook(session.track, cause, provenNs, run.runId, step)
}

/** Its symbol is recorded elsewhere: the connection is of no more use. */
export function leaveV1(session: V1Session, at: Instant, step: Step): void {
  links.hangUpUnused(session.link, 'v1', session.key, at, step)
}

/** The book differs from the new API's, and the venue itself bore the new API out. */
export function divergeV1(session: V1Session, at: Instant, run: RunSettings, step: Step): void {
  hangUp(session, 'divergence', at, 'its book is not the venue\u2019s', run, step)
}

function onTick(session: V1Session, at: Instant, run: RunSettings, step: Step): void {
  if (session.isLeft) return
  session.link = links.dialWhenDue(session.link, at, session.key, 'v1', session.url, step)
  const { link, track } = session
  if (link.phase !== 'open') return
  if (at.monoNs - link.heard.monoNs > msToNs(V1_SILENCE_MS)) {
    return hangUp(session, 'liveness', at, 'no message, not even a heartbeat, in time', run, step)
  }
  if (session.staged !== null) return // the rotation has a deadline of its own
  if (track.epoch === null && at.monoNs - link.openedNs > msToNs(SNAPSHOT_DEADLINE_MS)) {
    return hangUp(session, 'snapshot_missing', at, 'no initial book in time', run, step)
  }
  if (distrustCrossed(track, at)) return divergeV1(session, at, run, step)
  snapshotWhenDue(track, at, run.snapshotIntervalMs, step)
}

function onRefused(session: V1Session, at: Instant, refusal: Refusal, run: RunSettings, step: Step): void {
  const attempt = links.nextAttempt(session.link, at)
  const waitMs = links.refusalWaitMs(refusal, V1_DIAL_BACKOFF, attempt, session.key)
  lose(session, 'connect', at.wallNs, run, step)
  session.link = links.backOff(at, attempt, Math.max(waitMs, sameSymbolWaitMs(session, at)))
  step.observations.push({
    kind: 'connect',
    feed: 'v1',
    session: session.key,
    result: 'refused',
    reason: refusal.reason,
  })
}

function onClosed(session: V1Session, at: Instant, code: number, reason: string, run: RunSettings, step: Step): void {
  const { link } = session
  if (link.phase !== 'open') return
  lose(session, 'disconnect', link.heard.wallNs, run, step)
  links.recordClosed(link, 'v1', session.key, at, code, reason, step)
  reconnect(session, at)
}

/** Ends the connection from our side; what it still sends is heard by nobody. */
function hangUp(session: V1Session, cause: GapCause, at: Instant, reason: string, run: RunSettings, step: Step): void {
  const { link } = session
  if (link.phase !== 'open') return
  lose(session, cause, link.heard.wallNs, run, step)
  links.recordClosed(link, 'v1', session.key, at, null, reason, step)
  step.orders.push({ kind: 'hang_up', connection: link.connection })
  reconnect(session, at)
}

function reconnect(session: V1Session, at: Instant): void {
  const attempt = links.nextAttempt(session.link, at)
  const waitMs = attempt === 1 ? 0 : backoffMs(V1_DIAL_BACKOFF, attempt - 1, session.key)
  session.link = links.backOff(at, attempt, Math.max(waitMs, sameSymbolWaitMs(session, at)))
}

/** Never the same symbol twice a minute, but for one immediate retry (docs/gemini.md, claim 25). */
function sameSymbolWaitMs(session: V1Session, at: Instant): number {
  const [beforeLast, last] =
    session.lastDialsNs.length === 2 ? session.lastDialsNs : [undefined, session.lastDialsNs[0]]
  if (last === undefined || beforeLast === undefined) return 0
  const retryIsUsed = last - beforeLast < msToNs(V1_SAME_SYMBOL_MS)
  if (!retryIsUsed) return 0
  const freeAtNs = last + msToNs(V1_SAME_SYMBOL_MS)
  return freeAtNs <= at.monoNs ? 0 : Number((freeAtNs - at.monoNs) / 1_000_000n)
}

function onFrame(session: V1Session, event: FrameEvent, run: RunSettings, step: Step): void {
  const { link, track } = session
  if (link.phase !== 'open' || session.isLeft) return
  const place: MessagePlace = { at: event.at, sessionId: link.sessionId, messageSeq: event.messageSeq }
  const message = read(session, event, place, step)
  if (message === null) return hangUp(session, 'malformed', event.at, 'a message could not be read', run, step)
  observe(session, message, step)

  // The sequence comes first: heartbeats and unknown messages count in it like any other (docs/gemini.md, claim 13).
  if (message.kind === 'refusal') return onRefusal(session, event.at, message.reason, run, step)
  if (message.sequence !== session.expectedSequence) {
    const reason = `socket_sequence ${message.sequence ?? 'missing'} came where ${session.expectedSequence} was due`
    return hangUp(session, 'sequence', event.at, reason, run, step)
  }
  link.heard = event.at
  session.expectedSequence++

  switch (message.kind) {
    case 'heartbeat':
      return
    case 'unknown':
      quarantine(track.symbol, 'v1', place, `unknown message type ${message.type}`, event.payload, step)
      return
    case 'update':
      return onUpdate(session, message, place, event, run, step)
  }
}

function onUpdate(
  session: V1Session,
  message: Extract<V1Message, { kind: 'update' }>,
  place: MessagePlace,
  event: FrameEvent,
  run: RunSettings,
  step: Step,
): void {
  const { track } = session
  for (const { type } of message.others)
    quarantine(track.symbol, 'v1', place, `event type ${type}`, event.payload, step)
  const isInitial = session.staged === null ? track.epoch === null : session.staged.book === null
  if (message.changes.some((change) => (change.reason === 'initial') !== isInitial)) {
    const reason = isInitial ? 'a change came before the initial book' : 'a second initial book came'
    return hangUp(session, 'protocol', place.at, reason, run, step)
  }
  const update: BookUpdate = {
    firstUpdateId: message.eventId,
    lastUpdateId: message.eventId,
    eventTimeNs: message.eventTimeNs,
    changes: message.changes,
  }
  if (session.staged !== null) stage(session.staged, place, update)
  else if (isInitial) beginEpoch(track, place, update, step)
  else {
    const mismatches = countDeltaMismatches(track.book, message.changes)
    if (mismatches > 0) noteAnomaly(track, 'delta_mismatch', mismatches, step)
    extendEpoch(track, place, update, step)
  }
  for (const trade of message.trades) {
    recordTrade(track, place.at, { ...trade, eventTimeNs: trade.eventTimeNs ?? place.at.wallNs }, step)
  }
}

/** A refusal inside an open connection: the venue does not know the symbol. */
function onRefusal(session: V1Session, at: Instant, reason: string, run: RunSettings, step: Step): void {
  hangUp(session, 'refused', at, `the venue refused ${session.track.symbol}: ${reason}`, run, step)
  const attempt = session.link.phase === 'backing_off' ? session.link.attempt : 1
  const retryInMs = backoffMs(PARK_BACKOFF, attempt, session.key)
  session.link = links.backOff(at, attempt, retryInMs)
  step.observations.push({ kind: 'parked', feed: 'v1', symbol: session.track.symbol, reason, retryInMs })
}

const utf8 = new TextDecoder()

function read(session: V1Session, event: FrameEvent, place: MessagePlace, step: Step): V1Message | null {
  try {
    if (event.isBinary) throw new VenueProtocolError('BINARY_FRAME', 'a binary frame on a text feed')
    return decodeV1(utf8.decode(event.payload))
  } catch (error) {
    if (!(error instanceof VenueProtocolError)) throw error
    quarantine(session.track.symbol, 'v1', place, `${error.code}: ${error.message}`, event.payload, step)
    return null
  }
}

function observe(session: V1Session, message: V1Message, step: Step): void {
  const eventTimeNs = message.kind === 'update' ? message.eventTimeNs : null
  const { symbol } = session.track
  step.observations.push({ kind: 'message', feed: 'v1', symbol, message: message.kind, eventTimeNs })
}

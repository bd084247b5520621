import type { Instant } from '@booktape/session'
import { backoffMs, DIAL_BACKOFF, msToNs, refusalWaitMs, STABLE_MS } from '@booktape/session'
import { type AccountRows, timestampText } from '@booktape/store'
import type { AccountFeed, StreamEvent } from './event.ts'

/**
 * One private feed: its connection, and since when it is not heard.
 *
 *   waiting ──tick──► dialing ──dialing──► connecting ──opened──► open
 *      ▲                                      │ refused             │ closed, or hung up by us
 *      └──────────────────────────────────────┴─────────────────────┘
 */
export type Stream = {
  readonly feed: AccountFeed
  url: string
  link: Link
  attempt: number // failures in a row
  gap: OpenGap | null // null: live, every event is heard
  heardWallNs: bigint // the last frame while live: up to here nothing is missing
  lastSequence: bigint | null // v1: of this connection
  firstSequence: bigint // v1: what connections are seen to begin with
  listed: string[] | null // the active orders named since the subscription began; null when the list is complete
  active: ActiveOrder[] // orders that this feed has told of and not of their end
}

/** An order that a feed has told of and not of its end. */
export type ActiveOrder = Readonly<{ orderId: string; symbol: string; side: string }>

type Link =
  | Readonly<{ phase: 'off' }> // not asked for in this run, or the process is not running
  | Readonly<{ phase: 'parked' }> // until the journal has room
  | Readonly<{ phase: 'waiting'; resumeAtNs: bigint }>
  | Readonly<{ phase: 'dialing' }> // ordered; a nonce and the budget are waited for
  | Readonly<{ phase: 'connecting'; connection: number }>
  | OpenLink

export type OpenLink = {
  readonly phase: 'open'
  readonly connection: number
  readonly openedNs: bigint // monotonic, as all of these
  heardNs: bigint
  pingedNs: bigint // ws: when we asked for a sign of life, or heard one
}

type OpenGap = Readonly<{ position: number }>

/** Why a feed was not heard. */
export type GapCause =
  | 'first_start'
  | 'restart'
  | 'stop'
  | 'disconnected'
  | 'silence'
  | 'sequence'
  | 'unreadable'
  | 'no_subscription'
  | 'journal_full'
  | 'journal_damaged'

export type StreamOrder =
  | Readonly<{ kind: 'dial'; feed: AccountFeed; url: string }>
  | Readonly<{ kind: 'hang_up'; connection: number }>
  | Readonly<{ kind: 'send'; connection: number; text: string }>

export type StreamObservation =
  | Readonly<{ kind: 'connect'; feed: AccountFeed; result: 'opened' | 'refused' | 'closed'; reason: string }>
  | Readonly<{ kind: 'live'; feed: AccountFeed }>
  | Readonly<{ kind: 'gap'; feed: AccountFeed; cause: GapCause }>
  | Readonly<{ kind: 'message'; feed: AccountFeed; message: string }>
  | Readonly<{ kind: 'anomaly'; feed: AccountFeed; anomaly: 'duplicate' | 'unknown_type' }>

/** What follows from one entry: rows to be stored, orders to be obeyed, and what is worth counting. */
export type AccountStep = {
  readonly rows: AccountRows
  readonly orders: StreamOrder[]
  readonly observations: StreamObservation[]
}

/** Where in the journal an entry stands, and whose account it is about. */
export type Context = Readonly<{ position: number; keyFingerprint: string; at: Instant; step: AccountStep }>

/** A connection that has not told its subscription in this time is of no use. */
const SUBSCRIPTION_DEADLINE_MS = 10_000
/** v1 beats each five seconds: three beats. The new API is asked for a sign of life, and has as long again to give it. */
const SILENCE_MS: Readonly<Record<AccountFeed, number>> = { v1: 15_000, ws: 30_000 }

/** A feed that was never heard: nobody knows what happened before. */
export function newStream(feed: AccountFeed, url: string, context: Context): Stream {
  const stream: Stream = {
    feed,
    url,
    link: { phase: 'off' },
    attempt: 0,
    gap: null,
    heardWallNs: context.at.wallNs,
    lastSequence: null,
    firstSequence: 0n,
    listed: null,
    active: [],
  }
  openGap(stream, 'first_start', context, null)
  return stream
}

/** From `fromNs` on (null: nobody knows) until `closeGap` something may be missing. One gap at a time. */
export function openGap(
  stream: Stream,
  cause: GapCause,
  { position, keyFingerprint, at, step }: Context,
  fromNs: bigint | null = stream.heardWallNs,
  sequence: Readonly<{ from: bigint; to: bigint }> | null = null,
): void {
  if (stream.gap !== null) return
  stream.gap = { position }
  step.rows.gaps.push({
    position,
    key_fingerprint: keyFingerprint,
    feed: stream.feed,
    from_sequence: sequence === null ? null : String(sequence.from),
    to_sequence: sequence === null ? null : String(sequence.to),
    started_at: fromNs === null ? null : timestampText(fromNs),
    told_at: timestampText(at.wallNs),
    cause,
  })
  step.observations.push({ kind: 'gap', feed: stream.feed, cause })
}

/** The subscription is there: from now on everything is told. */
export function goLive(stream: Stream, { at, step }: Context): void {
  stream.heardWallNs = at.wallNs
  if (stream.gap === null) return
  step.rows.gap_ends.push({
    position: stream.gap.position,
    feed: stream.feed,
    ended_at: timestampText(at.wallNs),
  })
  stream.gap = null
  step.observations.push({ kind: 'live', feed: stream.feed })
}

/** Begins to connect at the next tick. */
export function wake(stream: Stream, context: Context): void {
  stream.link = { phase: 'waiting', resumeAtNs: context.at.monoNs }
  stream.attempt = 0
}

/** Nothing is heard any more, without a word on the wire: the process stops, or was gone. */
export function rest(stream: Stream, cause: GapCause, context: Context, fromNs = stream.heardWallNs): void {
  openGap(stream, cause, context, fromNs)
  stream.link = { phase: 'off' }
}

/** Gives up the connection until `wake`, in the same run. */
export function park(stream: Stream, cause: GapCause, context: Context): void {
  hangUp(stream, cause, context)
  stream.link = { phase: 'parked' }
}

/** Ends a connection that is of no use, and tries again a little later. */
export function hangUp(
  stream: Stream,
  cause: GapCause,
  context: Context,
  sequence: Readonly<{ from: bigint; to: bigint }> | null = null,
): void {
  const { link } = stream
  if (link.phase === 'open' || link.phase === 'connecting')
    context.step.orders.push({ kind: 'hang_up', connection: link.connection })
  openGap(stream, cause, context, stream.heardWallNs, sequence)
  backOff(stream, context, backoffMs(DIAL_BACKOFF, nextAttempt(stream, context.at), stream.feed))
}

/** The moves of the connection; frames are read by the feed's own file. True when the connection has just opened. */
export function moveLink(
  stream: Stream,
  event: Exclude<StreamEvent, { kind: 'frame' | 'tick' }>,
  context: Context,
): boolean {
  const { feed } = stream
  const { observations } = context.step
  switch (event.kind) {
    case 'dialing':
      stream.link = { phase: 'connecting', connection: event.connection }
      return false
    case 'opened':
      stream.link = {
        phase: 'open',
        connection: event.connection,
        openedNs: context.at.monoNs,
        heardNs: context.at.monoNs,
        pingedNs: context.at.monoNs,
      }
      stream.lastSequence = null
      stream.listed = null
      observations.push({ kind: 'connect', feed, result: 'opened', reason: stream.url })
      return true
    case 'refused': {
      observations.push({ kind: 'connect', feed, result: 'refused', reason: event.refusal.reason })
      backOff(stream, context, refusalWaitMs(event.refusal, DIAL_BACKOFF, nextAttempt(stream, context.at), feed))
      return false
    }
    case 'closed': {
      const reason = `${event.code} ${event.reason}`.trim()
      observations.push({ kind: 'connect', feed, result: 'closed', reason })
      openGap(stream, 'disconnected', context)
      backOff(stream, context, backoffMs(DIAL_BACKOFF, nextAttempt(stream, context.at), feed))
      return false
    }
  }
}

/** Time has passed: dials what is due, and gives up on what is silent. True where a sign of life is to be asked for. */
export function onTick(stream: Stream, context: Context): boolean {
  const { link } = stream
  const nowNs = context.at.monoNs
  if (link.phase === 'waiting' && nowNs >= link.resumeAtNs) {
    stream.link = { phase: 'dialing' }
    context.step.orders.push({ kind: 'dial', feed: stream.feed, url: stream.url })
  }
  if (link.phase !== 'open') return false
  const silenceNs = msToNs(SILENCE_MS[stream.feed])
  if (stream.gap !== null && nowNs - link.openedNs > msToNs(SUBSCRIPTION_DEADLINE_MS))
    hangUp(stream, 'no_subscription', context)
  else if (nowNs - link.heardNs > silenceNs) hangUp(stream, 'silence', context)
  else if (nowNs - link.pingedNs > silenceNs / 2n) {
    link.pingedNs = nowNs
    return true
  }
  return false
}

function backOff(stream: Stream, { at }: Context, waitMs: number): void {
  stream.attempt = nextAttempt(stream, at)
  stream.link = { phase: 'waiting', resumeAtNs: at.monoNs + msToNs(waitMs) }
}

/** Failures in a row, this one included; a connection that was stable forgets the ones before it. */
function nextAttempt({ link, attempt }: Stream, at: Instant): number {
  const wasStable = link.phase === 'open' && at.monoNs - link.openedNs >= msToNs(STABLE_MS)
  return wasStable ? 1 : attempt + 1
}

import {
  bookTickerStream,
  conninfoRequest,
  decodeWs,
  depthStream,
  listSubscriptionsRequest,
  pingRequest,
  subscribeRequest,
  tradeStream,
  unsubscribeRequest,
  type WsMessage,
} from '@booktape/gemini'
import { type GapCause, VenueProtocolError } from '@booktape/market'
import { backoffMs, DIAL_BACKOFF, msToNs } from './backoff.ts'
import type { FrameEvent, Instant, Refusal, RunSettings, SessionEvent } from './event.ts'
import * as links from './link.ts'
import { quarantine } from './quarantine.ts'
import { type Staged, stage } from './staged.ts'
import type { Step } from './step.ts'
import * as subscriptions from './subscription.ts'
import { expectTop } from './ticker-audit.ts'
import {
  closeTradesGap,
  loseBook,
  loseTrades,
  type MessagePlace,
  recordTrade,
  snapshotWhenDue,
  type Track,
} from './track.ts'
import { onReply } from './ws-replies.ts'

/**
 * One connection of the new WebSocket API: many symbols, each with its own subscription, book and ledger. A loss of one
 * symbol is mended by its own unsubscribe and subscribe; the others do not notice (docs/gemini.md, claims 3 to 8).
 */
export type WsSession = {
  readonly key: string
  readonly feed: 'ws'
  readonly url: string
  readonly subscriptions: Map<string, subscriptions.Subscription>
  /** Books that are made ready here while another connection still records them (rotation.ts). */
  readonly staged: Map<string, Staged>
  /** Symbols that another connection has taken over: trades that were under way still come. */
  readonly leaving: Map<string, Track>
  lastMoveNs: bigint // monotonic, when the last of them was
  link: links.Link
  nextRequest: number
  pingDueNs: bigint // monotonic, as the next one
  listDueNs: bigint
}

/** A ping of our own every 5 s, so that silence means death even where no book moves (docs/gemini.md, claim 10). */
export const PING_INTERVAL_MS = 5_000
/** Two pings unanswered and a margin: a half-open connection is found within 15 s. */
export const WS_SILENCE_MS = 12_000
/** A subscription that died quietly is found by asking for the list: soon after connecting, then every minute. */
export const FIRST_LIST_MS = 5_000
export const LIST_INTERVAL_MS = 60_000

export function newWsSession(key: string, url: string, tracked: readonly subscriptions.Subscription[]): WsSession {
  return {
    key,
    feed: 'ws',
    url,
    subscriptions: new Map(tracked.map((subscription) => [subscription.track.symbol, subscription])),
    staged: new Map(),
    leaving: new Map(),
    lastMoveNs: 0n,
    link: links.newLink(),
    nextRequest: 1,
    pingDueNs: 0n,
    listDueNs: 0n,
  }
}

export function advanceWs(session: WsSession, event: SessionEvent, run: RunSettings, step: Step): void {
  switch (event.kind) {
    case 'tick':
      return onTick(session, event.at, run, step)
    case 'dialing':
      session.link = links.onDialing(session.link, event)
      return
    case 'opened':
      return onOpened(session, event.at, step)
    case 'refused':
      return onRefused(session, event.at, event.refusal, run, step)
    case 'closed':
      if (session.link.phase !== 'open') return
      return onEnded(session, 'disconnect', event.at, event.code, event.reason, run, step)
    case 'frame':
      return onFrame(session, event, run, step)
  }
}

/** The process ends, or ended without a word: the connection is no more. */
export function abandonWs(session: WsSession, cause: GapCause, at: Instant, run: RunSettings, step: Step): void {
  if (session.link.phase === 'open') onEnded(session, cause, at, null, cause, run, step)
  session.link = links.newLink()
}

/** Its symbols are recorded elsewhere: the connection is of no more use. */
export function leaveWs(session: WsSession, at: Instant, step: Step): void {
  links.hangUpUnused(session.link, 'ws', session.key, at, step)
}

function onTick(session: WsSession, at: Instant, run: RunSettings, step: Step): void {
  if (session.subscriptions.size + session.staged.size > 0) {
    session.link = links.dialWhenDue(session.link, at, session.key, 'ws', session.url, step)
  }
  const { link } = session
  if (link.phase !== 'open') return
  if (at.monoNs - link.heard.monoNs > msToNs(WS_SILENCE_MS)) {
    return hangUp(session, 'liveness', at, 'our pings were not answered in time', run, step)
  }
  if (at.monoNs >= session.pingDueNs) {
    session.pingDueNs = at.monoNs + msToNs(PING_INTERVAL_MS)
    send(session, link, (id) => pingRequest(`ping:${id}`), step)
  }
  if (at.monoNs >= session.listDueNs) {
    session.listDueNs = at.monoNs + msToNs(LIST_INTERVAL_MS)
    send(session, link, (id) => listSubscriptionsRequest(`list:${id}`), step)
  }
  const ask = (make: (id: number) => string) => send(session, link, make, step)
  for (const subscription of session.subscriptions.values()) {
    subscriptions.onTick(subscription, at, run, ask, step)
    snapshotWhenDue(subscription.track, at, run.snapshotIntervalMs, step)
  }
}

function onOpened(session: WsSession, at: Instant, step: Step): void {
  if (session.link.phase !== 'connecting') return
  const link = links.onOpened(session.link, 'ws', session.key, at, step)
  session.link = link
  session.pingDueNs = at.monoNs + msToNs(PING_INTERVAL_MS)
  session.listDueNs = at.monoNs + msToNs(FIRST_LIST_MS)
  const ask = (make: (id: number) => string) => send(session, link, make, step)
  for (const subscription of session.subscriptions.values()) subscriptions.onOpened(subscription, at, ask)
  for (const symbol of session.staged.keys()) ask((n) => subscribeRequest(`stage:${symbol}:${n}`, allStreams(symbol)))
  ask((id) => conninfoRequest(`conninfo:${id}`))
}

function onRefused(session: WsSession, at: Instant, refusal: Refusal, run: RunSettings, step: Step): void {
  const attempt = links.nextAttempt(session.link, at)
  for (const { track } of session.subscriptions.values()) {
    loseBook(track, 'connect', at.wallNs, run.runId, step)
    loseTrades(track, 'connect', at.wallNs, run.runId, step)
  }
  session.link = links.backOff(at, attempt, links.refusalWaitMs(refusal, DIAL_BACKOFF, attempt, session.key))
  step.observations.push({
    kind: 'connect',
    feed: 'ws',
    session: session.key,
    result: 'refused',
    reason: refusal.reason,
  })
}

function hangUp(session: WsSession, cause: GapCause, at: Instant, reason: string, run: RunSettings, step: Step): void {
  const { link } = session
  if (link.phase !== 'open') return
  step.orders.push({ kind: 'hang_up', connection: link.connection })
  onEnded(session, cause, at, null, reason, run, step)
}

/** The connection is over: what came until the last frame heard is proven, for every symbol that rode on it. */
function onEnded(
  session: WsSession,
  cause: GapCause,
  at: Instant,
  code: number | null,
  reason: string,
  run: RunSettings,
  step: Step,
): void {
  const { link } = session
  if (link.phase !== 'open') return
  for (const subscription of session.subscriptions.values()) {
    loseBook(subscription.track, cause, link.heard.wallNs, run.runId, step)
    loseTrades(subscription.track, cause, link.heard.wallNs, run.runId, step)
    subscriptions.onEnded(subscription)
  }
  session.staged.clear()
  session.leaving.clear()
  links.recordClosed(link, 'ws', session.key, at, code, reason, step)
  const attempt = links.nextAttempt(link, at)
  session.link = links.backOff(at, attempt, attempt === 1 ? 0 : backoffMs(DIAL_BACKOFF, attempt - 1, session.key))
}

function onFrame(session: WsSession, event: FrameEvent, run: RunSettings, step: Step): void {
  const { link } = session
  if (link.phase !== 'open') return
  const provenUntil = link.heard
  link.heard = event.at
  const place: MessagePlace = { at: event.at, sessionId: link.sessionId, messageSeq: event.messageSeq }
  const ask = (make: (id: number) => string) => send(session, link, make, step)

  const message = read(event, place, step)
  if (message === null) return onUnreadable(session, event, provenUntil, run, ask, step)
  const symbol = 'symbol' in message ? message.symbol : null
  const subscription = symbol === null ? undefined : session.subscriptions.get(symbol)
  observe(message, subscription?.track.symbol ?? null, step)

  switch (message.kind) {
    case 'response':
      try {
        return onReply(session, message, event.at, run, ask, step)
      } catch (error) {
        // An answer of another shape than agreed tells us nothing; the question is asked again in its time.
        if (!(error instanceof VenueProtocolError)) throw error
        return quarantine(null, 'ws', place, `${error.code}: ${error.message}`, event.payload, step)
      }
    case 'unknown':
    case 'other':
    case 'partial_depth': {
      const what = message.kind === 'partial_depth' ? 'partial depth' : message.event
      quarantine(
        subscription?.track.symbol ?? null,
        'ws',
        place,
        `not recorded: ${what ?? 'no known shape'}`,
        event.payload,
        step,
      )
      return
    }
    case 'depth':
    case 'trade':
    case 'book_ticker':
      break
  }
  if (subscription === undefined && symbol !== null && onUnowned(session, symbol, message, place, ask, step)) return
  if (subscription === undefined) {
    step.observations.push({ kind: 'anomaly', feed: 'ws', symbol: null, anomaly: 'unexpected_symbol', count: 1 })
    return
  }
  const { track } = subscription
  switch (message.kind) {
    case 'depth':
      return subscriptions.onDepth(subscription, message.update, place, run, ask, step)
    case 'trade':
      return recordTrade(track, event.at, message.trade, step)
    case 'book_ticker':
      step.records.push({
        kind: 'quote',
        epochId: track.epoch?.epochId ?? null,
        sessionId: link.sessionId,
        symbol: track.symbol,
        feed: 'ws',
        messageSeq: event.messageSeq,
        updateId: message.updateId,
        eventTimeNs: message.eventTimeNs,
        receivedTimeNs: event.at.wallNs,
        top: message.top,
      })
      if (expectTop(track, message.updateId, message.top, step) === 'different') {
        subscriptions.resync(subscription, 'divergence', event.at.wallNs, event.at, run, ask, step)
      }
      return
  }
}

/** Of a symbol that another connection records, before or after it is this one's turn; `false` for one that nobody knows. */
function onUnowned(
  session: WsSession,
  symbol: string,
  message: Extract<WsMessage, { kind: 'depth' | 'trade' | 'book_ticker' }>,
  place: MessagePlace,
  ask: subscriptions.Ask,
  step: Step,
): boolean {
  const staged = session.staged.get(symbol)
  const track = staged?.track ?? session.leaving.get(symbol)
  if (track === undefined) return false
  if (message.kind === 'trade') recordTrade(track, place.at, message.trade, step)
  if (message.kind !== 'depth' || staged === undefined || stage(staged, place, message.update)) return true
  session.staged.delete(symbol) // it stays where it is
  session.leaving.set(symbol, track)
  ask((n) => unsubscribeRequest(`unstage:${symbol}:${n}`, allStreams(symbol)))
  return true
}

/**
 * A message that cannot be read may have been a change or a trade of any symbol on this connection: of the one it names,
 * where that much can be read, else of all. Books are asked for anew, and the trades that may be lost are disclosed.
 */
function onUnreadable(
  session: WsSession,
  { isBinary, payload }: FrameEvent,
  provenUntil: Instant,
  run: RunSettings,
  ask: subscriptions.Ask,
  step: Step,
): void {
  const text = isBinary ? '' : utf8.decode(payload)
  const named = session.subscriptions.get(/"s"\s*:\s*"([^"\\]{1,64})"/.exec(text)?.[1]?.toLowerCase() ?? '')
  const touched = named === undefined ? [...session.subscriptions.values()] : [named]
  const { link } = session
  if (link.phase !== 'open') return
  for (const subscription of touched) {
    subscriptions.resync(subscription, 'malformed', provenUntil.wallNs, link.heard, run, ask, step)
    loseTrades(subscription.track, 'malformed', provenUntil.wallNs, run.runId, step)
    if (subscription.tradesListed) closeTradesGap(subscription.track, link.heard, step)
  }
}

const utf8 = new TextDecoder()

function read({ isBinary, payload }: FrameEvent, place: MessagePlace, step: Step): WsMessage | null {
  try {
    if (isBinary) throw new VenueProtocolError('BINARY_FRAME', 'a binary frame on a text feed')
    return decodeWs(payload)
  } catch (error) {
    if (!(error instanceof VenueProtocolError)) throw error
    quarantine(null, 'ws', place, `${error.code}: ${error.message}`, payload, step)
    return null
  }
}

function observe(message: WsMessage, symbol: string | null, step: Step): void {
  const eventTimeNs =
    message.kind === 'depth'
      ? message.update.eventTimeNs
      : message.kind === 'trade'
        ? message.trade.eventTimeNs
        : message.kind === 'book_ticker'
          ? message.eventTimeNs
          : null
  step.observations.push({ kind: 'message', feed: 'ws', symbol, message: message.kind, eventTimeNs })
}

function send(session: WsSession, link: links.OpenLink, make: (id: number) => string, step: Step): void {
  step.orders.push({ kind: 'send', connection: link.connection, text: make(session.nextRequest++) })
}

const allStreams = (symbol: string): string[] => [depthStream(symbol), bookTickerStream(symbol), tradeStream(symbol)]

import { decodeSymbolDetails, v1Url, wsUrl } from '@booktape/gemini'
import { type GapCause, type Instrument, VenueProtocolError } from '@booktape/market'
import { crossAudit } from './audit.ts'
import { msToNs } from './backoff.ts'
import type { ConnectionEvent, CorridorEvent, Instant, RunSettings, SessionEvent } from './event.ts'
import { askRestWhenDue, takeRestBook } from './rest-audit.ts'
import { abandonRotation, newRotation, type Rotation, rotateOnFrame, rotateOnTick, tracksOf } from './rotation.ts'
import { emptyStep, type Step } from './step.ts'
import { newSubscription } from './subscription.ts'
import { loseBook, loseTrades, newTrack, type Track } from './track.ts'
import {
  hurryRepair,
  interruptRepair,
  newTradeRepair,
  repairIntervalMs,
  repairWhenDue,
  type TradeRepair,
  takePage,
} from './trade-repair.ts'
import { abandonV1, advanceV1, divergeV1, newV1Session, type V1Session } from './v1-session.ts'
import { abandonWs, advanceWs, newWsSession, type WsSession } from './ws-session.ts'

export type Session = V1Session | WsSession

/**
 * Everything a recorder knows: a value, plain data throughout, so that it can be cloned and serialized as it stands.
 * Moved by `advance` alone, one journal entry at a time.
 */
export type CorridorState = {
  run: RunSettings | null
  readonly sessions: Map<string, Session>
  readonly sessionOf: Map<number, string> // by connection number
  readonly tracks: Map<string, Track> // by feed and symbol; outlive connections and runs
  readonly instruments: Map<string, Instrument>
  readonly repairs: Map<string, TradeRepair> // by symbol
  lastTickNs: bigint | null // monotonic
  isSuspended: boolean // the journal is full
  forgottenSinceNs: bigint | null // what stood before this instant is not known, though it may have been recorded
  quarantine: { minuteNs: bigint; kept: number }
  readonly rotation: Rotation
}

/** For a state whose forerunner is lost: nothing is proven before the first entry that is left. */
export const FROM_FIRST_ENTRY = 0n

/** Bump when the state changes its shape: a checkpoint of another version is not read. */
export const STATE_VERSION = 18

/** Few enough that one lost connection hurts few symbols; twenty streams on one connection were seen to work. */
export const SYMBOLS_PER_WS_CONNECTION = 20
/** Ticks this far apart mean that we were stopped, not that the venue was silent. */
export const STALL_MS = 2_000
/** Hostile or changed messages must not fill the database: the rest stays in the journal and is counted. */
export const MAX_QUARANTINE_PER_MINUTE = 120

/** `forgottenSinceNs`: a state before this one is lost; null for the beginning of everything. */
export function newCorridorState(forgottenSinceNs: bigint | null = null): CorridorState {
  return {
    run: null,
    sessions: new Map(),
    sessionOf: new Map(),
    tracks: new Map(),
    instruments: new Map(),
    repairs: new Map(),
    lastTickNs: null,
    isSuspended: false,
    forgottenSinceNs,
    quarantine: { minuteNs: 0n, kept: 0 },
    rotation: newRotation(),
  }
}

/** Moves the state by one entry; returns what is to be stored, what is to be done and what is to be counted. */
export function advance(state: CorridorState, event: CorridorEvent): Step {
  const step = emptyStep()
  if (state.forgottenSinceNs === FROM_FIRST_ENTRY) state.forgottenSinceNs = event.at.wallNs
  switch (event.kind) {
    case 'started':
      onStarted(state, event.run, event.at, step)
      break
    case 'stopped':
      abandonAll(state, 'stopped', event.at, step)
      state.sessions.clear()
      break
    case 'suspended':
      abandonAll(state, 'journal_full', event.at, step)
      state.isSuspended = true
      break
    case 'resumed':
      state.isSuspended = false
      state.lastTickNs = null
      break
    case 'damaged':
      abandonAll(state, 'journal_damaged', event.at, step)
      state.forgottenSinceNs ??= event.at.wallNs
      break
    case 'tick':
      onTick(state, event, step)
      break
    case 'symbol_details':
      onSymbolDetails(state, event.body, event.at, step)
      break
    case 'trades_page': {
      const repair = state.repairs.get(event.symbol)
      if (repair !== undefined) takePage(repair, event, step)
      break
    }
    case 'book_page':
      onRestBook(state, event, step)
      break
    case 'dialing':
      if (state.sessions.has(event.session)) state.sessionOf.set(event.connection, event.session)
      else step.orders.push({ kind: 'hang_up', connection: event.connection }) // nobody waits for it any more
      advanceSession(state, event.connection, event, step)
      break
    case 'opened':
      advanceSession(state, event.connection, event, step)
      break
    case 'frame':
      advanceSession(state, event.connection, event, step)
      rotateOnFrame(state.rotation, state.sessions, event.at, step)
      break
    case 'refused':
    case 'closed':
      advanceSession(state, event.connection, event, step)
      state.sessionOf.delete(event.connection)
      break
  }
  for (const order of step.orders) if (order.kind === 'hang_up') state.sessionOf.delete(order.connection)
  for (const seen of step.observations) {
    const repair = seen.kind === 'resync' && seen.feed === 'ws' ? state.repairs.get(seen.symbol) : undefined
    if (repair !== undefined) hurryRepair(repair, event.at)
  }
  limitQuarantine(state, event.at, step)
  return step
}

export const trackKey = (feed: string, symbol: string): string => `${feed}:${symbol}`

function advanceSession(state: CorridorState, connection: number, event: ConnectionEvent, step: Step): void {
  const session = state.sessions.get(state.sessionOf.get(connection) ?? '')
  if (session === undefined || state.run === null) return // a connection that was given up
  const { link } = session
  if (event.kind !== 'dialing' && (!('connection' in link) || link.connection !== connection)) return
  advanceOne(session, event, state.run, step)
}

function advanceOne(session: Session, event: SessionEvent, run: RunSettings, step: Step): void {
  if (session.feed === 'v1') advanceV1(session, event, run, step)
  else advanceWs(session, event, run, step)
}

function onTick(state: CorridorState, event: Extract<CorridorEvent, { kind: 'tick' }>, step: Step): void {
  const { run, lastTickNs } = state
  state.lastTickNs = event.at.monoNs
  if (run === null || state.isSuspended) return
  // After a stall the sockets may hold what came meanwhile: nobody is judged silent before it is read.
  if (lastTickNs !== null && event.at.monoNs - lastTickNs > msToNs(STALL_MS)) {
    for (const { link } of state.sessions.values()) {
      if (link.phase === 'open') link.heard = { ...link.heard, monoNs: event.at.monoNs }
    }
  }
  for (const session of state.sessions.values()) advanceOne(session, event, run, step)
  rotateOnTick(state.rotation, state.sessions, event.at, run, step)
  for (const session of state.sessions.values())
    if (session.feed === 'v1' && tracksOf(session).length > 0) auditV1(state, session, lastTickNs, event.at, run, step)
  const intervalMs = repairIntervalMs(state.repairs.size)
  for (const [symbol, repair] of state.repairs) {
    repair.intervalMs = intervalMs
    const tracks = run.feeds.flatMap((feed) => state.tracks.get(trackKey(feed, symbol)) ?? [])
    repairWhenDue(repair, tracks, event.at, step)
  }
}

/** Where v1 and the new API differ, the venue is asked for its book; v1 is given up only when that bears the new API out. */
function auditV1(
  state: CorridorState,
  session: V1Session,
  lastTickNs: bigint | null,
  at: Instant,
  run: RunSettings,
  step: Step,
): void {
  const v1 = session.track
  const ws = state.tracks.get(trackKey('ws', v1.symbol))
  if (ws === undefined) return askRestWhenDue(v1, session.expectedSequence, lastTickNs, at, step)
  const result = crossAudit(v1, ws, at, step)
  if (result === null) return
  if (result === 'equal') {
    v1.audit.suspectedNs = null
    return
  }
  if (v1.audit.suspectedNs !== null && ws.audit.good.at.monoNs > v1.audit.suspectedNs)
    return divergeV1(session, at, run, step)
  v1.audit.suspectedNs ??= at.monoNs
  v1.audit.dueNs = 0n
  ws.audit.dueNs = 0n
}

/** REST is asked only where v1 is recorded alone. */
function onRestBook(state: CorridorState, event: Extract<CorridorEvent, { kind: 'book_page' }>, step: Step): void {
  for (const session of state.sessions.values()) {
    if (session.feed !== 'v1' || state.run === null) continue
    const track = tracksOf(session).find(({ symbol }) => symbol === event.symbol)
    if (track === undefined || takeRestBook(track, session.expectedSequence, event, step) !== 'different') continue
    return divergeV1(session, event.at, state.run, step)
  }
}

/** A new run: whatever was open when the last one ended is open no more, and its gaps begin where it was last proven. */
function onStarted(state: CorridorState, run: RunSettings, at: Instant, step: Step): void {
  abandonAll(state, 'restart', at, step)
  state.run = run
  state.lastTickNs = null
  state.isSuspended = false
  state.sessions.clear()
  for (const repair of state.repairs.values()) interruptRepair(repair)
  for (const symbol of state.repairs.keys()) if (!run.symbols.includes(symbol)) state.repairs.delete(symbol)
  for (const symbol of run.symbols) if (!state.repairs.has(symbol)) state.repairs.set(symbol, newTradeRepair())
  for (const feed of run.feeds) {
    if (feed === 'v1') {
      for (const symbol of run.symbols) {
        const key = trackKey('v1', symbol)
        state.sessions.set(key, newV1Session(key, v1Url(run.v1Url, symbol), trackOf(state, 'v1', symbol)))
      }
      continue
    }
    for (let i = 0; i * SYMBOLS_PER_WS_CONNECTION < run.symbols.length; i++) {
      const symbols = run.symbols.slice(i * SYMBOLS_PER_WS_CONNECTION, (i + 1) * SYMBOLS_PER_WS_CONNECTION)
      const subscriptions = symbols.map((symbol) => newSubscription(trackOf(state, 'ws', symbol)))
      const key = `ws#${i}`
      state.sessions.set(key, newWsSession(key, wsUrl(run.wsUrl), subscriptions))
    }
  }
  discloseForgotten(state, run, step)
}

/** What an older state knew is lost with it: all that may be said is that nothing is proven since. */
function discloseForgotten(state: CorridorState, run: RunSettings, step: Step): void {
  const sinceNs = state.forgottenSinceNs
  if (sinceNs === null) return
  state.forgottenSinceNs = null
  for (const track of state.tracks.values()) {
    if (track.epoch !== null) continue
    loseBook(track, 'restart', sinceNs, run.runId, step)
    if (track.feed === 'ws') loseTrades(track, 'restart', sinceNs, run.runId, step)
  }
}

function trackOf(state: CorridorState, feed: 'v1' | 'ws', symbol: string): Track {
  const key = trackKey(feed, symbol)
  const known = state.tracks.get(key)
  if (known !== undefined) return known
  const track = newTrack(symbol, feed)
  state.tracks.set(key, track)
  return track
}

function abandonAll(state: CorridorState, cause: GapCause, at: Instant, step: Step): void {
  const { run } = state
  if (run === null) return
  for (const session of state.sessions.values()) {
    if (session.feed === 'v1') abandonV1(session, cause, at, run, step)
    else abandonWs(session, cause, at, run, step)
  }
  abandonRotation(state.rotation, state.sessions)
  state.sessionOf.clear()
}

function onSymbolDetails(state: CorridorState, body: string, at: Instant, step: Step): void {
  try {
    const instrument = decodeSymbolDetails(body)
    const known = state.instruments.get(instrument.symbol)
    if (known !== undefined && sameInstrument(known, instrument)) return
    state.instruments.set(instrument.symbol, instrument)
    step.records.push({ kind: 'instrument', instrument, receivedTimeNs: at.wallNs })
  } catch (error) {
    if (!(error instanceof VenueProtocolError)) throw error
    step.observations.push({ kind: 'unreadable_reply', what: 'details', reason: error.message })
  }
}

function sameInstrument(a: Instrument, b: Instrument): boolean {
  return (Object.keys(a) as (keyof Instrument)[]).every((field) => a[field] === b[field])
}

function limitQuarantine(state: CorridorState, at: Instant, step: Step): void {
  if (!step.records.some((record) => record.kind === 'quarantine')) return
  if (at.monoNs - state.quarantine.minuteNs >= msToNs(60_000) || at.monoNs < state.quarantine.minuteNs) {
    state.quarantine = { minuteNs: at.monoNs, kept: 0 }
  }
  step.records = step.records.filter((record) => {
    if (record.kind !== 'quarantine') return true
    if (state.quarantine.kept++ < MAX_QUARANTINE_PER_MINUTE) return true
    step.observations.push({ kind: 'unrecorded', feed: record.feed, message: record.reason })
    return false
  })
}

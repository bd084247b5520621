import { invariant } from '@booktape/market'
import { fraction, msToNs } from './backoff.ts'
import type { Session } from './corridor.ts'
import type { Instant, RunSettings } from './event.ts'
import { handOver, isReady, newStaged, type Staged } from './staged.ts'
import type { Step } from './step.ts'
import { subscribed } from './subscription.ts'
import type { Track } from './track.ts'
import { leaveV1, newV1Session, type V1Session } from './v1-session.ts'
import { leaveWs, newWsSession, type WsSession } from './ws-session.ts'

/**
 * A connection that has grown old is replaced before somebody cuts it: the new one is dialed, its books are staged beside the
 * old ones, and each symbol moves over when both stand at one update id. Whatever goes wrong meanwhile, the symbol stays where
 * it is: a rotation never makes a gap, and is simply tried again (docs/adr/0006-rotation.md).
 */
export type Rotation = {
  current: Readonly<{ from: string; to: string; sinceNs: bigint }> | null // one at a time, session keys
  notBeforeNs: bigint // monotonic
  count: number // names the next successor
}

/** A rotation that has not moved every symbol by then is given up; what has moved stays moved. */
export const ROTATION_DEADLINE_MS = 60_000
export const ROTATION_RETRY_MS = 600_000
/** Trades that were under way when a symbol moved come on the old connection within this. */
export const LINGER_MS = 2_000
/** Connections opened together are rotated apart: each up to this share of the time earlier. */
const SPREAD = 0.1

export function newRotation(): Rotation {
  return { current: null, notBeforeNs: 0n, count: 1 }
}

type Sessions = Map<string, Session>

/** On every tick: begins a rotation that is due, and ends the one under way. */
export function rotateOnTick(rotation: Rotation, sessions: Sessions, at: Instant, run: RunSettings, step: Step): void {
  const { current } = rotation
  if (current === null) return beginWhenDue(rotation, sessions, at, run)
  rotateOnFrame(rotation, sessions, at, step)
  const from = sessions.get(current.from)
  const to = sessions.get(current.to)
  const isOver =
    from === undefined ||
    to === undefined ||
    hasFailed(to) ||
    stagedOf(to).length === 0 ||
    at.monoNs - current.sinceNs >= msToNs(ROTATION_DEADLINE_MS)
  if (!isOver) return
  if (from?.link.phase === 'open' && isEmpty(from) && at.monoNs - from.lastMoveNs < msToNs(LINGER_MS)) return
  const isDone = from === undefined || isEmpty(from)
  rotation.current = null
  rotation.notBeforeNs = isDone ? 0n : at.monoNs + msToNs(ROTATION_RETRY_MS)
  for (const session of [from, to]) {
    if (session === undefined) continue
    dropStaged(session)
    if (!isEmpty(session)) continue
    if (session.feed === 'v1') leaveV1(session, at, step)
    else leaveWs(session, at, step)
    sessions.delete(session.key)
  }
}

/** After every frame while a rotation is under way: two connections stand at one id only for moments. */
export function rotateOnFrame(rotation: Rotation, sessions: Sessions, at: Instant, step: Step): void {
  if (rotation.current === null) return
  const from = sessions.get(rotation.current.from)
  const to = sessions.get(rotation.current.to)
  if (from?.link.phase !== 'open' || to?.link.phase !== 'open') return
  for (const staged of stagedOf(to)) {
    if (!isReady(staged, from.link.heard.monoNs, at)) continue
    handOver(staged, at, step)
    move(staged, from, to, at)
  }
}

/** Every connection is over: what was staged is gone with it. */
export function abandonRotation(rotation: Rotation, sessions: Sessions): void {
  if (rotation.current === null) return
  for (const key of [rotation.current.from, rotation.current.to]) {
    const session = sessions.get(key)
    if (session === undefined) continue
    dropStaged(session)
    if (isEmpty(session)) sessions.delete(key)
  }
  rotation.current = null
}

function beginWhenDue(rotation: Rotation, sessions: Sessions, at: Instant, run: RunSettings): void {
  const afterMs = run.rotateAfterMs ?? null
  if (afterMs === null || at.monoNs < rotation.notBeforeNs) return
  for (const from of sessions.values()) {
    const { link, key } = from
    if (link.phase !== 'open') continue
    const dueMs = afterMs * (1 - SPREAD * fraction(key))
    if (at.monoNs - link.openedNs < msToNs(dueMs) || tracksOf(from).some(({ epoch }) => epoch === null)) continue
    const to = successorOf(from, `${key.split('/')[0]}/${++rotation.count}`, at)
    sessions.set(to.key, to)
    rotation.current = { from: key, to: to.key, sinceNs: at.monoNs }
    return
  }
}

function successorOf(from: Session, key: string, at: Instant): Session {
  if (from.feed === 'v1') {
    const to = newV1Session(key, from.url, from.track)
    to.staged = newStaged(from.track, at, true) // trades ride in the book's sequence
    to.lastDialsNs = from.lastDialsNs
    return to
  }
  const to = newWsSession(key, from.url, [])
  for (const track of tracksOf(from)) to.staged.set(track.symbol, newStaged(track, at, false))
  return to
}

function move({ track }: Staged, from: Session, to: Session, at: Instant): void {
  if (to.feed === 'v1') {
    invariant(from.feed === 'v1', 'a rotation stays on its feed')
    to.staged = null
    from.isLeft = true
  } else {
    invariant(from.feed === 'ws', 'a rotation stays on its feed')
    from.subscriptions.delete(track.symbol)
    from.leaving.set(track.symbol, track)
    to.staged.delete(track.symbol)
    to.subscriptions.set(track.symbol, subscribed(track, at))
  }
  from.lastMoveNs = at.monoNs
}

function hasFailed({ link }: Session): boolean {
  return link.phase === 'backing_off' && link.attempt > 0
}

/** It records nothing: every symbol it had has moved, or none has moved to it. */
function isEmpty(session: V1Session | WsSession): boolean {
  if (session.feed === 'v1') return session.isLeft
  return session.subscriptions.size === 0
}

function stagedOf(session: Session): readonly Staged[] {
  if (session.feed === 'ws') return [...session.staged.values()]
  return session.staged === null ? [] : [session.staged]
}

function dropStaged(session: Session): void {
  if (session.feed === 'ws') session.staged.clear()
  else if (session.staged !== null) {
    session.staged = null
    session.isLeft = true
  }
}

/** The books that this connection records; not those it only makes ready, or has given away. */
export function tracksOf(session: Session): readonly Track[] {
  if (session.feed === 'ws') return [...session.subscriptions.values()].map(({ track }) => track)
  return session.isLeft || session.staged !== null ? [] : [session.track]
}

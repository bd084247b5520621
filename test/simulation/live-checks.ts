import { bookDigest, bookFromLevels, levelCount } from '@booktape/book'
import type { GapCause, LevelChange } from '@booktape/market'
import type { Track } from '@booktape/session'
import type { FaultKind } from './fault-kinds.ts'
import type { Moment } from './replay.ts'
import { US_PER_S } from './virtual-time.ts'
import type { World } from './world.ts'

/** Entries that may still be on their way to the database: a second of ticks and frames, and what one commit takes. */
const MAX_LIVE_BACKLOG = 100

/** A connection that fell silent is found within 15 s (G13) in which nothing stood still, and a few for what was under way. */
const SILENCE_FOUND_US = 20 * US_PER_S

const digests = new WeakMap<Track, Readonly<{ updateId: bigint | null; epochId: string }>>()

/** Every virtual second: a book that is called live is the exchange's own (G6), and one that is not is no book (G7). */
export function checkLive(world: World): void {
  for (const track of world.process?.state?.tracks.values() ?? []) {
    const { feed, symbol, epoch, book, lastUpdateId } = track
    if (epoch === null) {
      if (levelCount(book, 'bid') + levelCount(book, 'ask') > 0)
        world.violate(`G7: ${feed} ${symbol} has a book and no epoch`)
      continue
    }
    const silentSinceUs = world.cables.get(epoch.sessionId)?.silentSinceUs ?? world.time.nowUs
    // A process that has just begun, after a full disk kept others from it, has judged nothing yet.
    const judgedSinceUs = Math.max(silentSinceUs, world.stalledUntilUs, world.startedUs)
    if (world.time.nowUs - judgedSinceUs > SILENCE_FOUND_US)
      world.violate(`G13: ${feed} ${symbol} is called live on a connection that is dead`)
    const checked = digests.get(track)
    if (checked?.updateId === lastUpdateId && checked.epochId === epoch.epochId) continue
    digests.set(track, { updateId: lastUpdateId, epochId: epoch.epochId })
    if (track.gaps.book !== null) world.violate(`G1: ${feed} ${symbol} is live and in a gap`)
    const offset = world.cables.get(epoch.sessionId)?.idOffset ?? 0n
    const digest = lastUpdateId === null ? null : trueDigest(world, symbol, lastUpdateId + offset)
    if (bookDigest(book) !== digest)
      world.violate(`G6: the book of ${feed} ${symbol} at ${lastUpdateId} is not the exchange's`)
  }
}

/** The newest update id of each symbol, as the venue counts. */
export function lastIdsOf({ exchange, run }: World): ReadonlyMap<string, bigint> {
  return new Map(run.symbols.map((symbol) => [symbol, exchange.truth.updateIds(symbol).at(-1) ?? 0n]))
}

/** After the faults: everything is recorded again, and stored, without a human (G12). `lastIds`: what every book holds by now. */
export function checkLiveness(world: World, lastIds: ReadonlyMap<string, bigint>): void {
  const { process } = world
  const state = process?.state ?? null
  const scribe = process?.scribe ?? null
  if (scribe === null || state === null) return world.violate('G12: no process runs')
  for (const { feed, symbol, epoch, gaps, lastUpdateId } of state.tracks.values()) {
    if (epoch === null) world.violate(`G12: ${feed} ${symbol} is not live`)
    if (gaps.trades !== null) world.violate(`G12: the trades of ${feed} ${symbol} are still in a gap`)
    const last = lastIds.get(symbol) ?? 0n
    const offset = world.cables.get(epoch?.sessionId ?? '')?.idOffset ?? 0n
    if ((lastUpdateId ?? 0n) + offset < last)
      world.violate(`G12: ${feed} ${symbol} is live and stands still at ${lastUpdateId}`)
  }
  if (state.tracks.size !== world.run.feeds.length * world.run.symbols.length)
    world.violate('G12: a symbol is not recorded')
  if (scribe.backlog > MAX_LIVE_BACKLOG) world.violate(`G12: ${scribe.backlog} entries are not stored`)
}

/** How long the recorder has decided to wait, and rightly: after refusals, and as told by the venue. */
export function longestWaitUs(world: World): number {
  const resumes: bigint[] = []
  for (const session of world.process?.state?.sessions.values() ?? []) {
    if (session.link.phase === 'backing_off') resumes.push(session.link.resumeAtNs)
    if (session.feed !== 'ws') continue
    for (const { phase } of session.subscriptions.values()) if ('resumeAtNs' in phase) resumes.push(phase.resumeAtNs)
  }
  return Math.max(0, ...resumes.map((ns) => Number(ns / 1000n) - world.time.nowUs))
}

/** What may make a recorder lose a book, by the cause it gives: without any of these before, the gap is a false alarm (G3). */
const REASONS: Readonly<Partial<Record<GapCause, readonly FaultKind[]>>> = {
  sequence: [
    'drop',
    'drop_two',
    'duplicate',
    'swap',
    'delay',
    'stop_publishing',
    'wrong_first_sequence',
    'omit_snapshot',
    'late_snapshot',
    'duplicate_snapshot',
    'malformed',
    'binary',
  ],
  malformed: ['malformed', 'binary'],
  divergence: [],
  journal_full: ['journal_full'],
  journal_damaged: ['bit_flip'],
  protocol: ['duplicate', 'duplicate_snapshot', 'late_snapshot', 'delay', 'swap', 'drop', 'drop_two', 'omit_snapshot'],
  subscription_lost: ['unsubscribed', 'drop', 'drop_two', 'delay', 'swap', 'malformed', 'binary'],
  refused: ['refuse_subscribe'],
  connect: ['unreachable', 'dial_timeout', 'refused_429', 'refused_503', 'refused_403'],
}

export function checkJustified(world: World, moments: readonly Moment[]): void {
  for (const { us, records } of moments) {
    for (const record of records) {
      if (record.kind !== 'gap_opened') continue
      const kinds = REASONS[record.cause]
      const isCalm = world.firstFaultUs.size === 0 && record.cause !== 'stopped'
      const isExplained =
        kinds?.some((kind) => (world.firstFaultUs.get(kind) ?? Number.POSITIVE_INFINITY) <= us) ?? true
      if (isCalm || !isExplained) {
        return world.violate(
          `G3: a gap of ${record.feed} ${record.symbol} for ${record.cause}, and nothing had happened`,
        )
      }
    }
  }
}

function trueDigest(world: World, symbol: string, updateId: bigint): string {
  const { bids, asks } = world.exchange.truth.bookAfter(symbol, updateId)
  const levels = [
    ...bids.map(([price, quantity]): LevelChange => ({ side: 'bid', price, quantity, reason: null })),
    ...asks.map(([price, quantity]): LevelChange => ({ side: 'ask', price, quantity, reason: null })),
  ]
  return bookDigest(bookFromLevels(levels))
}

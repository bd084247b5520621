import type { FaultRequest } from '@booktape/exchange'
import type { Dice } from './dice.ts'
import type { FaultKind } from './fault-kinds.ts'
import type { World } from './world.ts'

const FRAME_FAULTS = {
  drop: { fault: 'drop' },
  drop_two: { fault: 'drop', times: 2 },
  duplicate: { fault: 'duplicate' },
  swap: { fault: 'swap' },
  delay: { fault: 'delay' },
  malformed: { fault: 'malformed' },
  binary: { fault: 'binary' },
  unknown_type: { fault: 'unknown_type' },
  unknown_symbol: { fault: 'unknown_symbol' },
  omit_snapshot: { fault: 'omit_snapshot' },
  late_snapshot: { fault: 'late_snapshot' },
  duplicate_snapshot: { fault: 'duplicate_snapshot' },
} as const satisfies Partial<Record<FaultKind, FaultRequest>>

type FrameFaultKind = keyof typeof FRAME_FAULTS

export const isFrameKind = (kind: FaultKind): kind is FrameFaultKind => Object.hasOwn(FRAME_FAULTS, kind)

/**
 * What may be lost, repeated or late on the new API. Not a trade: those ride outside any sequence, and one that never comes
 * while its stream is healthy cannot be known to be missing.
 */
const IN_SEQUENCE = ['depth', 'ticker', 'response', 'snapshot'] as const
const ANY = ['depth', 'ticker', 'response', 'snapshot', 'trade'] as const
const NTH = [1, 8] as const
const DELAY_MS = [100, 8_000] as const

/** Arms a fault of frames on a connection that is open, or on the next snapshot of a feed; says where, or null. */
export function injectIntoFrames(world: World, dice: Dice, kind: FrameFaultKind): string | null {
  const request: FaultRequest = { ...FRAME_FAULTS[kind], delayMs: dice.between(...DELAY_MS) }
  const { faults } = world.exchange
  if (kind.endsWith('_snapshot')) {
    const feed = dice.pick(world.run.feeds) ?? 'ws'
    faults.inject({ ...request, feed })
    return feed
  }
  const theirs = dice.pick(world.network.open)?.theirs ?? null
  if (theirs === null) return null
  const nth = dice.between(...NTH)
  const readable = kind === 'malformed' || kind === 'binary' || kind.startsWith('unknown')
  const frame = theirs.feed === 'v1' ? 'v1' : (dice.pick(readable ? ANY : IN_SEQUENCE) ?? 'depth')
  faults.inject({ ...request, connection: theirs.id, kind: frame, nth })
  return `${theirs.feed} connection ${theirs.id}, ${frame} number ${nth} from now`
}

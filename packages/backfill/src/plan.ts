import type { MissingTrades, TradeHole } from '@booktape/store'
import { type Goal, isWithinReach } from './listing.ts'

/** Why a hole is not filled. */
export const REASONS_LEFT = {
  open: 'it is not over: the recorder that has it ends it',
  refused: 'the database refused its trade (docs/adr/0005-poison-rows.md)',
  no_id: 'no trade before it is known, or ids began anew in it, and it is too old to be read by time',
  beyond_reach: 'REST does not reach back to where it begins',
  not_read: 'it was not read',
} as const
export type ReasonLeft = keyof typeof REASONS_LEFT

export type HoleLeft = Pick<TradeHole, 'gapId' | 'cause' | 'startedNs' | 'endedNs'> & Readonly<{ why: ReasonLeft }>

/** What is read of a symbol, in the order of time, and what cannot be proven however much is read. */
export type SymbolPlan = Readonly<{
  goals: readonly Goal[]
  provable: readonly TradeHole[]
  left: readonly HoleLeft[]
}>

/** `nowNs`: our clock. */
export function plan({ spans, holes }: MissingTrades, nowNs: bigint): SymbolPlan {
  const provable: TradeHole[] = []
  const left: HoleLeft[] = []
  for (const hole of holes) {
    const ways = withWay(hole)
    const why = whyNot(ways, nowNs)
    if (why === null) provable.push(ways)
    else left.push({ gapId: hole.gapId, cause: hole.cause, startedNs: hole.startedNs, endedNs: hole.endedNs, why })
  }
  const goals: Goal[] = [
    ...spans.map((span): Goal => ({ kind: 'span', span })),
    ...provable.map((hole): Goal => ({ kind: 'hole', hole })),
  ]
  return { goals: goals.sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1)), provable, left }
}

/** Where ids after a hole are lower than those before it, they lead nowhere: it is read by time. */
function withWay(hole: TradeHole): TradeHole {
  const { anchorId, endId } = hole
  return anchorId !== null && endId !== null && endId <= anchorId ? { ...hole, anchorId: null, endId: null } : hole
}

function whyNot({ state, cause, endedNs, anchorId, startedNs }: TradeHole, nowNs: bigint): ReasonLeft | null {
  if (cause === 'unstorable') return 'refused'
  if (state === 'open' || endedNs === null) return 'open'
  return anchorId === null && !isWithinReach(startedNs, nowNs) ? 'no_id' : null
}

function startOf(goal: Goal): bigint {
  return goal.kind === 'span' ? goal.span.fromNs : goal.hole.startedNs
}

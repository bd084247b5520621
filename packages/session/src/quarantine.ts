import type { Feed } from '@booktape/market'
import type { Step } from './step.ts'
import type { MessagePlace } from './track.ts'

/** What the contract keeps of a message we could not use; the journal has the whole. */
export const QUARANTINE_PAYLOAD_BYTES = 4096

/** Keeps a message we could not use as it came. `symbol` only when it is one of ours: text of theirs never becomes a key. */
export function quarantine(
  symbol: string | null,
  feed: Feed,
  place: MessagePlace,
  reason: string,
  payload: Uint8Array,
  step: Step,
): void {
  step.records.push({
    kind: 'quarantine',
    sessionId: place.sessionId,
    messageSeq: place.messageSeq,
    feed,
    symbol,
    reason,
    payload: payload.subarray(0, QUARANTINE_PAYLOAD_BYTES),
    receivedTimeNs: place.at.wallNs,
  })
}

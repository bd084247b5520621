import { type CorridorState, tracksOf } from '@booktape/session'

/** Rows must be this fresh for a recorder to call itself ready. */
export const READY_COMMIT_AGE_MS = 10_000

/** The last time the database took rows, and until when it then knew everything. */
export type Commit = Readonly<{ monoNs: bigint; recordedUntilNs: bigint }>

/** What keeps the recorder from being ready, each a sentence; empty when every book is live and its rows are committed. */
export function missingForReady(state: Readonly<CorridorState>, commit: Commit | null, nowNs: bigint): string[] {
  const missing: string[] = []
  for (const session of state.sessions.values()) {
    for (const { epoch, feed, symbol } of tracksOf(session)) {
      if (epoch === null) missing.push(`the ${feed} book of ${symbol} is not live`)
      else if (commit !== null && epoch.startedNs > commit.recordedUntilNs) {
        missing.push(`the ${feed} book of ${symbol} is live, but not in the database yet`)
      }
    }
  }
  if (state.run === null) missing.push('recording has not begun')
  if (commit === null) return [...missing, 'nothing was committed to the database yet']
  const ageMs = Number((nowNs - commit.monoNs) / 1_000_000n)
  if (ageMs > READY_COMMIT_AGE_MS) missing.push(`the last commit to the database was ${Math.round(ageMs / 1000)} s ago`)
  return missing
}

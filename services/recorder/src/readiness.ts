import type { CorridorState } from '@booktape/session'

/** Rows must be this fresh for a recorder to call itself ready. */
export const READY_COMMIT_AGE_MS = 10_000

/** What keeps the recorder from being ready, each a sentence; empty when every book is live and rows are being committed. */
export function missingForReady(state: Readonly<CorridorState>, sinceCommitMs: number | null): string[] {
  const missing: string[] = []
  for (const session of state.sessions.values()) {
    const tracks = session.feed === 'v1' ? [session.track] : [...session.subscriptions.values()].map((s) => s.track)
    for (const track of tracks) {
      if (track.epoch === null) missing.push(`the ${track.feed} book of ${track.symbol} is not live`)
    }
  }
  if (state.sessions.size === 0) missing.push('no session has begun')
  if (sinceCommitMs === null) missing.push('nothing was committed to the database yet')
  else if (sinceCommitMs > READY_COMMIT_AGE_MS) {
    missing.push(`the last commit to the database was ${Math.round(sinceCommitMs / 1000)} s ago`)
  }
  return missing
}

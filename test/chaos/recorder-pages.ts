import type { Feed } from '@booktape/market'
import type { SpawnedRecorder } from './spawned-recorder.ts'

/** `feed` is null where what is missing is no book; a book may be live whose rows are not stored yet. */
export type Missing = Readonly<{ feed: Feed | null; isLive: boolean }>

/** What `/readyz` misses, a line each. Null: no answer. */
export async function booksMissing(recorder: SpawnedRecorder): Promise<readonly Missing[] | null> {
  const page = await recorder.get('/readyz')
  if (page === null) return null
  if (page.trim() === 'ready') return []
  return page
    .trim()
    .split('\n')
    .map((line) => {
      const [, feed, not] = /^the (v1|ws) book of \S+ is (not )?live/.exec(line) ?? []
      if (feed === 'v1' || feed === 'ws') return { feed, isLive: not === undefined }
      return { feed: null, isLive: line !== 'recording has not begun' }
    })
}

/** Everything is in Postgres but what came within about the last second. */
export async function isCaughtUp(recorder: SpawnedRecorder): Promise<boolean> {
  const backlog = await metric(recorder, 'booktape_backlog_messages')
  return backlog !== null && backlog <= SETTLED_BACKLOG
}

/** Under load the backlog is never 0: entries come all the time and are committed every few ms. */
export const SETTLED_BACKLOG = 500

/** The sum of a metric over all its labels; null: no answer. */
export async function metric(recorder: SpawnedRecorder, name: string): Promise<number | null> {
  const page = await recorder.get('/metrics')
  if (page === null) return null
  const values = [...page.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+(?:\\.\\d+)?)$`, 'gm'))]
  return values.reduce((sum, [, value]) => sum + Number(value), 0)
}

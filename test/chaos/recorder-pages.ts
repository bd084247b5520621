import type { Feed } from '@booktape/market'
import type { SpawnedRecorder } from './spawned-recorder.ts'

export type MissingBook = Readonly<{ feed: Feed | null }>

/** What `/readyz` misses, a line each; `feed` is null where it is no book. Null: no answer. */
export async function booksMissing(recorder: SpawnedRecorder): Promise<readonly MissingBook[] | null> {
  const page = await recorder.get('/readyz')
  if (page === null) return null
  if (page.trim() === 'ready') return []
  return page
    .trim()
    .split('\n')
    .map((line) => {
      const [, feed] = /^the (v1|ws) book of /.exec(line) ?? []
      return { feed: feed === 'v1' || feed === 'ws' ? feed : null }
    })
}

/** Everything is in Postgres but what came within about the last second. */
export async function isCaughtUp(recorder: SpawnedRecorder): Promise<boolean> {
  const page = await recorder.get('/metrics')
  const [, backlog] = /^booktape_backlog_messages (\d+)$/m.exec(page ?? '') ?? []
  return backlog !== undefined && Number(backlog) <= SETTLED_BACKLOG
}

/** Under load the backlog is never 0: entries come all the time and are committed every few ms. */
export const SETTLED_BACKLOG = 500

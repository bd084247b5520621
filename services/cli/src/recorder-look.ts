import { METRIC_PREFIX } from '@booktape/runtime'

/** What a recorder says of itself at `/readyz` and `/metrics`, which every one answers. */
export type RecorderLook = Readonly<{
  url: string
  line: string
  version: string
  missing: readonly string[] // what keeps it from being ready
  booksLive: number
  books: number
  backlog: number
  lastCommitAgeSeconds: number
  lagBoundSeconds: number | null // 99 % of the messages since its start were stored within this; null before the first
  journalBytes: number
  journalLimitBytes: number
}>

/** A recorder on the same machine answers within milliseconds, a busy one within a second. */
const ANSWER_TIMEOUT_MS = 2_000
const LAG_SHARE = 0.99

/** Null when nobody answers there, or somebody else. */
export async function lookAtRecorder(url: string): Promise<RecorderLook | null> {
  try {
    const [ready, metrics] = await Promise.all([ask(`${url}/readyz`), ask(`${url}/metrics`)])
    const samples = metrics.body.split('\n').flatMap(readSample)
    const of = (name: string): readonly Sample[] => samples.filter((sample) => sample.name === METRIC_PREFIX + name)
    const info = of('recorder_info')[0]
    if (info === undefined) return null
    const valueOf = (name: string): number => of(name)[0]?.value ?? 0
    return {
      url,
      line: info.labels.get('line') ?? '',
      version: of('build_info')[0]?.labels.get('version') ?? '',
      missing: ready.ok ? [] : ready.body.trim().split('\n'),
      booksLive: of('book_live').filter(({ value }) => value === 1).length,
      books: of('book_live').length,
      backlog: valueOf('backlog_messages'),
      lastCommitAgeSeconds: valueOf('last_commit_age_seconds'),
      lagBoundSeconds: lagBound(of('commit_lag_seconds_bucket')),
      journalBytes: valueOf('journal_bytes'),
      journalLimitBytes: valueOf('journal_limit_bytes'),
    }
  } catch {
    return null // not there, or not listening to us: nothing that the database's part would have to wait for
  }
}

async function ask(url: string): Promise<{ ok: boolean; body: string }> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })
  return { ok: answer.ok, body: await answer.text() }
}

type Sample = Readonly<{ name: string; labels: ReadonlyMap<string, string>; value: number }>

/** One line of Prometheus's text: `name{label="value"} 1`. */
function readSample(line: string): Sample[] {
  const [, name, labels = '', value] = /^([a-z]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (name === undefined || value === undefined) return []
  const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text] as const)
  return [{ name, labels: new Map(pairs), value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) }]
}

/** The bound of the first bucket that holds the share, over all feeds. */
function lagBound(buckets: readonly Sample[]): number | null {
  const counts = new Map<number, number>()
  for (const { labels, value } of buckets) {
    const bound = labels.get('le') === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.get('le'))
    counts.set(bound, (counts.get(bound) ?? 0) + value)
  }
  const all = counts.get(Number.POSITIVE_INFINITY) ?? 0
  if (all === 0) return null
  const [bound = Number.POSITIVE_INFINITY] = [...counts]
    .sort(([a], [b]) => a - b)
    .flatMap(([at, count]) => (count >= all * LAG_SHARE ? [at] : []))
  return bound
}

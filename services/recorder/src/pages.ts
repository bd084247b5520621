import type { Clock, Metrics } from '@booktape/runtime'
import type { Corridor } from './corridor.ts'
import type { Observer } from './observe.ts'
import { type Commit, missingForReady } from './readiness.ts'
import type { Scribe } from './scribe.ts'
import { statusPage } from './status-page.ts'

export type PagesParts = Readonly<{
  corridor: Corridor
  scribe: Scribe
  observer: Observer
  metrics: Metrics
  clock: Clock
  journalBytes: () => number
  waitingDials: () => number
  lastCommit: () => Commit | null
  /** Null where the status page is switched off. */
  status: Readonly<{ version: string; line: string; venue: string }> | null
}>

type Page = Readonly<{ status: number; contentType: string; body: string }>

/** What a recorder answers over HTTP (contract, section 4). Anything else is 404. */
export function pages(parts: PagesParts): Readonly<Record<string, () => Promise<Page>>> {
  const { corridor, scribe, observer, metrics, clock, status } = parts
  const startedNs = clock.monoNs()
  const missing = (): string[] => missingForReady(corridor.state, parts.lastCommit(), clock.monoNs())

  const answers = {
    // Whether the process works: never a matter of the database or the venue.
    '/livez': async () => plain(200, 'alive'),
    '/readyz': async () => {
      const found = missing()
      return found.length === 0 ? plain(200, 'ready') : plain(503, found.join('\n'))
    },
    '/metrics': async () => {
      observer.gauge({
        state: corridor.state,
        now: { wallNs: clock.wallNs(), monoNs: clock.monoNs() },
        startedNs,
        journalBytes: parts.journalBytes(),
        backlog: scribe.backlog,
        waitingDials: parts.waitingDials(),
        lastCommit: parts.lastCommit(),
      })
      return { status: 200, contentType: metrics.registry.contentType, body: await metrics.registry.metrics() }
    },
  }
  if (status === null) return answers
  const look = (): string => {
    const commit = parts.lastCommit()
    return statusPage({
      ...status,
      startedNs,
      now: { wallNs: clock.wallNs(), monoNs: clock.monoNs() },
      missing: missing(),
      journalBytes: parts.journalBytes(),
      backlog: scribe.backlog,
      sinceCommitMs: commit === null ? null : Number((clock.monoNs() - commit.monoNs) / 1_000_000n),
      state: corridor.state,
    })
  }
  return { ...answers, '/': async () => ({ status: 200, contentType: 'text/html; charset=utf-8', body: look() }) }
}

function plain(status: number, body: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` }
}

import type { Answer, Clock, Metrics, Routes } from '@booktape/runtime'
import type { Corridor } from './corridor.ts'
import type { Observer } from './observe.ts'
import { type Commit, missingForReady } from './readiness.ts'
import type { Scribe } from './scribe.ts'

export type PagesParts = Readonly<{
  corridor: Corridor
  scribe: Scribe
  observer: Observer
  metrics: Metrics
  clock: Clock
  journalBytes: () => number
  waitingDials: () => number
  lastCommit: () => Commit | null
  /** What answers `/`; null where the status page is switched off. */
  statusPage: Routes[string] | null
}>

/** What a recorder answers over HTTP (contract, section 4). Anything else is 404. */
export function pages(parts: PagesParts): Routes {
  const { corridor, scribe, observer, metrics, clock, statusPage } = parts
  const startedNs = clock.monoNs()

  return {
    // Whether the process works: never a matter of the database or the venue.
    '/livez': async () => plain(200, 'alive'),
    '/readyz': async () => {
      const found = missingForReady(corridor.state, parts.lastCommit(), clock.monoNs())
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
    ...(statusPage === null ? {} : { '/': statusPage }),
  }
}

function plain(status: number, body: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` }
}

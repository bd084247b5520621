import { setTimeout as delay } from 'node:timers/promises'
import type { FaultRequest } from '@booktape/exchange'
import { invariant } from '@booktape/market'
import type { World } from '../chaos/world.ts'
import type { Prometheus } from '../prometheus.ts'
import type { Paragraph } from './runbook-page.ts'

export type Surroundings = Readonly<{
  world: World
  prometheus: Prometheus
  /** What Prometheus calls the recorder of each line. */
  instances: ReadonlyMap<string, string>
}>

/** A fault, the alert that must tell of it, and what somebody does who has the page alone. */
export type Incident = Readonly<{
  alert: string
  what: string
  /** Takes minutes to be noticed: it is caused before all others. */
  isSlow?: true
  cause(scene: Surroundings): Promise<void>
  /** What the page's own queries and expressions show, a sentence each; what they do not show is a violation. */
  look(scene: Surroundings, page: Pick<Paragraph, 'queries' | 'expressions'>): Promise<readonly string[]>
  /** Does it, and says what was done. */
  act(scene: Surroundings): Promise<string>
  /** Usually when the alert ends; for those that look back, when what it tells of has ended. */
  isOver?(scene: Surroundings): Promise<boolean>
}>

/** Alerts of what was added, or burnt, within the last hour or hours. */
export const LOOK_BACK: ReadonlySet<string> = new Set([
  'BooktapeQuarantine',
  'BooktapeAuditDifferent',
  'BooktapeRestarting',
  'BooktapeCoverageFast',
  'BooktapeCoverageSlow',
  'BooktapeCommitLagFast',
  'BooktapeCommitLagSlow',
  'BooktapeGapBurst',
])

const SILENCED = 'ethusd'
const LOST_DAY = '2001-02-03'
const LOOK_AGAIN_MS = 250

export const INCIDENTS: readonly Incident[] = [
  {
    alert: 'BooktapeQuarantine',
    what: 'the venue sends half a message on v1',
    cause: async (scene) => inject(scene, { fault: 'malformed', feed: 'v1', symbol: 'ethgusdperp', kind: 'update' }),
    look: async (scene, { queries }) => [await answer(scene, queries[0], 'v1 ethgusdperp MALFORMED_JSON')],
    act: async () => 'nothing: one broken message is kept and its book was taken anew',
    isOver: everyBookLiveBut(SILENCED),
  },
  {
    alert: 'BooktapeAuditDifferent',
    what: 'the venue changes quantities on the way, in an unbroken sequence',
    cause: async (scene) =>
      inject(scene, { fault: 'corrupt', feed: 'ws', symbol: 'btcusd', kind: 'depth', times: 200 }),
    look: async (scene, { queries }) => [await answer(scene, queries[0], 'btcusd different')],
    act: async ({ world }) => {
      world.exchange.exchange.faults.clear()
      inject({ world }, { fault: 'stop_publishing', symbol: SILENCED }) // which was cleared too
      return 'the rows are kept for a report; the venue is well again'
    },
    isOver: everyBookLiveBut(SILENCED),
  },
  {
    alert: 'BooktapeRestarting',
    what: 'line b is killed four times',
    cause: async ({ world, prometheus, instances }) => {
      const recorder = world.recorder('b')
      const started = async (): Promise<string | undefined> =>
        (await prometheus.now(`process_start_time_seconds{instance="${instances.get('b')}"}`))[0]?.value[1]
      for (let times = 0; times < 4; times++) {
        const before = await started()
        await recorder.kill()
        recorder.start()
        for (let now = before; now === before || now === undefined; now = await started()) await delay(LOOK_AGAIN_MS)
      }
    },
    look: async ({ world }) => [`line b was started ${world.recorder('b').starts} times; its end each time: a kill`],
    act: async () => 'nobody kills it any more',
    isOver: everyBookLiveBut(SILENCED),
  },
  {
    alert: 'BooktapeDefaultPartitionRows',
    what: 'a row of a day without a partition, which line a finds at its next start',
    cause: async ({ world }) => {
      await world.postgres.query(
        `insert into booktape.quotes select (jsonb_populate_record(q, '{"received_time": "${LOST_DAY}T00:00:00Z"}')).* from booktape.quotes q limit 1`,
      )
      await world.recorder('a').stop()
      world.recorder('a').start()
    },
    look: async (scene, { queries }) => [await answer(scene, queries[0], '1')],
    act: async ({ world }) => {
      await world.postgres.connected(async (client) => {
        const ofDay = `received_time >= '${LOST_DAY}T00:00:00Z' and received_time < '${LOST_DAY}T00:00:00Z'::timestamptz + interval '1 day'`
        for (const sql of [
          'begin',
          `create table booktape.kept as select * from booktape.quotes_default where ${ofDay}`,
          `delete from booktape.quotes_default where ${ofDay}`,
          `select booktape.make_partitions('${LOST_DAY}', 1)`,
          'insert into booktape.quotes select * from booktape.kept',
          'drop table booktape.kept',
          'commit',
        ]) {
          await client.query(sql)
        }
      })
      return 'the row is moved into a partition of its day, in one transaction; recorders notice within ten minutes'
    },
    isOver: async ({ world }) => {
      const [found] = await world.postgres.query<{ rows: string }>(
        `select count(*)::text as rows from booktape.quotes where received_time = '${LOST_DAY}T00:00:00Z' and tableoid <> 'booktape.quotes_default'::regclass`,
      )
      return found?.rows === '1'
    },
  },
  {
    alert: 'BooktapeNotStored',
    what: 'Postgres crashes',
    cause: async ({ world }) => await world.postgres.crash(),
    look: async ({ world, prometheus }, { expressions }) => {
      const room = expressions.find((expression) => expression.includes('deriv'))
      const [left] = await prometheus.now(room ?? '')
      const classes = await prometheus.now('booktape_write_failures_total')
      const told = classes.map(({ metric, value }) => `${metric['class']} ${value[1]}`).join(', ')
      if (!/\b(?:unreachable|connection_lost|starting_up|shutting_down) [1-9]/.test(told)) {
        world.violated(`no class of the page's row "bring Postgres back" tells it: ${told}`)
      }
      const says = 'the database takes no rows now: they wait in the journal'
      if (!world.recorder('a').log.warnings.has(says)) world.violated(`the log does not say "${says}"`)
      return [`classes ${told}; the log says why; the journal is full in ${Math.round(Number(left?.value[1]))} s`]
    },
    act: async ({ world }) => {
      await world.postgres.restart()
      return 'Postgres is started; no recorder is'
    },
  },
  {
    alert: 'BooktapeLineGone',
    what: 'line b ends and nobody starts it',
    cause: async ({ world }) => await world.recorder('b').kill(),
    look: async ({ world, prometheus }, _page) => {
      const runs = (await prometheus.now('booktape_recorder_info')).map(({ metric }) => metric['line'])
      if (runs.join() !== 'a') world.violated(`lines that run: ${runs.join()}`)
      return [`booktape_recorder_info: line ${runs.join(' and ')} alone`]
    },
    act: async ({ world }) => {
      world.recorder('b').start()
      return 'line b is started on its directory'
    },
  },
  {
    alert: 'BooktapeCoverageFast',
    what: `the venue says nothing more of ${SILENCED}`,
    isSlow: true,
    cause: async (scene) => inject(scene, { fault: 'stop_publishing', symbol: SILENCED }),
    look: async (scene, { queries, expressions }) => {
      const shown = await scene.prometheus.now(expressions.find((expression) => expression.includes('== 0')) ?? '')
      const books = shown.map(({ metric }) => `${metric['feed']} ${metric['symbol']}`).sort()
      if (books.join() !== `v1 ${SILENCED},ws ${SILENCED}`) scene.world.violated(`not live: ${books.join()}`)
      return [`not live: ${books.join(', ')}`, `by cause: ${await answer(scene, queries[0], '')}`]
    },
    act: async () => 'one symbol only: see BooktapeBookNotLive',
    isOver: async () => true, // with the next
  },
  {
    alert: 'BooktapeBookNotLive',
    what: 'the same',
    isSlow: true,
    cause: async () => undefined,
    look: async ({ world }) => {
      const said = await world.recorder('a').get('/readyz')
      if (said?.includes(SILENCED) !== true) world.violated(`/readyz does not name it: ${said}`)
      return (said ?? '').trim().split('\n')
    },
    act: async (scene) => {
      inject(scene, { fault: 'resume_publishing', symbol: SILENCED })
      return 'it is waited for; the venue publishes it again'
    },
  },
]

function inject({ world }: Pick<Surroundings, 'world'>, fault: FaultRequest): void {
  const injected = world.exchange.exchange.faults.inject(fault)
  invariant(typeof injected !== 'string', `the exchange takes ${fault.fault}: ${JSON.stringify(injected)}`)
}

/** Runs a query of the page; its rows as text, which must hold these words in their order. */
async function answer({ world }: Surroundings, sql: string | undefined, words: string): Promise<string> {
  invariant(sql !== undefined, `the page gives a query`)
  const rows = await world.postgres.query<Record<string, unknown>>(sql)
  const told = (value: unknown): string => (value instanceof Date ? value.toISOString() : String(value))
  const shown = rows.map((row) => Object.values(row).map(told).join(' ').slice(0, 120))
  const pattern = new RegExp(words.split(' ').join('.*'))
  if (!shown.some((row) => pattern.test(row))) world.violated(`"${words}" is not in the answer of: ${sql}`)
  return shown.slice(0, 3).join('; ')
}

function everyBookLiveBut(symbol: string): (scene: Surroundings) => Promise<boolean> {
  return async ({ prometheus }) => {
    const missing = await prometheus.now(`booktape_book_live{symbol!="${symbol}"} == 0`)
    const up = await prometheus.now('up == 1')
    return up.length === 2 && missing.length === 0
  }
}

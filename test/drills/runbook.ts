import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { metric } from '../chaos/recorder-pages.ts'
import { World } from '../chaos/world.ts'
import { hasPrometheus, Prometheus } from '../prometheus.ts'
import type { Drill } from './drill.ts'
import { seconds } from './drill.ts'
import { portsFor } from './pods.ts'
import { INCIDENTS, type Incident, LOOK_BACK, type Surroundings } from './runbook-incidents.ts'
import { paragraphOf } from './runbook-page.ts'

/** Faults of the exchange, the database and the recorders, each met as docs/operating.md has it, until all is well again. */
export const runbook: Drill = {
  about:
    'faults, the alert that a real Prometheus fires for each, and what docs/operating.md says to look at and to do: it ends healthy',
  usual: { seed: 1, rate: 4 },
  async run(numbers, say) {
    if (!hasPrometheus()) return ['not possible on this machine: Prometheus is not installed']
    const ports = await portsFor(['a', 'b'])
    const world = await World.start({ seed: numbers('seed'), symbols: SYMBOLS, rate: numbers('rate') })
    let prometheus: Prometheus | null = null
    try {
      for (const [line, port] of ports) world.recorder(line, { BOOKTAPE_HTTP_PORT: String(port) }).start()
      await world.recovered()
      prometheus = await Prometheus.start(
        [...ports.values()].map((port) => `127.0.0.1:${port}`),
        RULES,
      )
      const scene: Surroundings = {
        world,
        prometheus,
        instances: new Map([...ports].map(([l, p]) => [l, `127.0.0.1:${p}`])),
      }
      // Those that take minutes to be noticed begin first.
      for (const { cause, isSlow } of INCIDENTS) if (isSlow === true) await cause(scene)
      for (const incident of INCIDENTS) await walk(scene, incident, say)
      await world.recovered()
      await isHealthy(scene, say)
      return world.violations
    } finally {
      await prometheus?.stop()
      await world.close()
    }
  },
}

const SYMBOLS = ['btcusd', 'ethusd', 'solusd', 'ethgusdperp']
const RULES = fileURLToPath(new URL('../../deploy/prometheus/booktape.rules.yml', import.meta.url))
const LOOK_AGAIN_MS = 250

async function walk(scene: Surroundings, incident: Incident, say: (sentence: string) => void): Promise<void> {
  const { world } = scene
  const { alert, what, isSlow, cause, look, act, isOver } = incident
  world.scenario = alert
  const { means, queries, expressions } = paragraphOf(alert)
  const beganNs = world.clock.monoNs()
  const since = (): string => seconds(Number((world.clock.monoNs() - beganNs) / 1_000_000n))
  if (isSlow !== true) await cause(scene)
  await until(scene, `${alert} to fire`, async () => (await firing(scene)).includes(alert))
  say(`${what}: ${alert} fires after ${since()}${isSlow === true ? ' more' : ''}. The page: "${means}"`)
  for (const seen of await look(scene, { queries, expressions })) say(`  look: ${seen}`)
  say(`  do: ${await act(scene)}`)
  await until(scene, `the end of ${alert}`, async () =>
    isOver === undefined ? !(await firing(scene)).includes(alert) : await isOver(scene),
  )
  say(`  over after ${since()}${LOOK_BACK.has(alert) ? '; the alert itself looks back and stays for a while' : ''}`)
}

/** Alerts that fire now. */
async function firing({ prometheus }: Surroundings): Promise<string[]> {
  const series = await prometheus.now('ALERTS{alertstate="firing"}')
  return [...new Set(series.map(({ metric: labels }) => labels['alertname'] ?? ''))].sort()
}

/** @throws Error where it does not come within the time of the slowest alert. */
async function until({ world }: Surroundings, what: string, condition: () => Promise<boolean>): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  while (!(await condition())) {
    if (patience.aborted) {
      const pages = await Promise.all(world.running.map((recorder) => recorder.get('/readyz')))
      throw new Error(`${world.scenario}: ${what} did not come within ${seconds(PATIENCE_MS)}: ${pages.join(' / ')}`)
    }
    await delay(LOOK_AGAIN_MS)
  }
}

/** The longest `for` is ten minutes, and so is the distance between two housekeepings. */
const PATIENCE_MS = 15 * 60_000

async function isHealthy(scene: Surroundings, say: (sentence: string) => void): Promise<void> {
  const { world, prometheus } = scene
  world.scenario = 'in the end'
  await until(scene, 'alerts that look back alone', async () =>
    (await firing(scene)).every((alert) => LOOK_BACK.has(alert)),
  )
  const [coverage] = await prometheus.now('booktape:coverage:ratio')
  if (coverage?.value[1] !== '1') world.violated(`coverage is ${coverage?.value[1]}`)
  const gaps = await world.postgres.query<{ gap: string }>(
    `select format('%s %s %s since %s: %s', line, feed, symbol, started_at, cause) as gap from market.gaps where state = 'open'`,
  )
  for (const { gap } of gaps) world.violated(`an open gap: ${gap}`)
  const pages = await Promise.all(world.running.map((recorder) => recorder.get('/readyz')))
  if (pages.length !== 2 || pages.some((page) => page?.trim() !== 'ready'))
    world.violated(`not ready: ${pages.join(' / ')}`)
  for (const recorder of world.recorders.values()) {
    for (const end of recorder.unasked) world.violated(`line ${recorder.line} ended unasked: ${end}`)
    for (const bug of recorder.log.bugs) world.violated(`line ${recorder.line} says: ${bug}`)
  }
  const backlogs = await Promise.all(world.running.map((recorder) => metric(recorder, 'booktape_backlog_messages')))
  say(
    `healthy: both lines ready, coverage 1, no open gap, ${backlogs.join(' and ')} entries wait; ` +
      `alerts that still look back: ${(await firing(scene)).join(', ')}`,
  )
}

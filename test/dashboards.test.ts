import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DASHBOARDS } from '@booktape/dashboards'
import { type ExchangeServer, type FaultRequest, presetOf, startExchangeServer } from '@booktape/exchange'
import { invariant } from '@booktape/market'
import { systemClock } from '@booktape/runtime'
import { Client } from 'pg'
import { parse } from 'yaml'
import { hasPrometheus, Prometheus, type Series } from './prometheus.ts'
import { type Recording, startRecording } from './recording.ts'
import { environmentOf } from './recording-drill.ts'

// The dashboards are code (deploy/grafana/src); what Grafana loads is made of it and checked in. No Grafana is needed to know that
// each query runs and has something to show: a real Prometheus scrapes a running recorder, which has seen every kind of fault.

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIRECTORY = `${ROOT}/deploy/grafana`
const RULES = `${ROOT}/deploy/prometheus/booktape.rules.yml`

type Target = Readonly<{ refId: string; expr?: string; rawSql?: string; format: string; datasource: { uid: string } }>
type Panel = Readonly<{
  id: number
  type: string
  title: string
  description?: string
  gridPos: Readonly<{ x: number; y: number; w: number; h: number }>
  targets?: readonly Target[]
}>
type Model = Readonly<{
  uid: string
  title: string
  panels: readonly Panel[]
  templating: Readonly<{ list: readonly Readonly<{ name: string; type: string; query: string }>[] }>
}>

const models = Object.entries(DASHBOARDS).map(([file, text]) => ({ file, model: JSON.parse(text) as Model }))
const panelsOf = ({ panels }: Model): readonly Panel[] => panels.filter(({ type }) => type !== 'row')

const ROWS_OF_THE_CORRIDOR = ['1. Socket', '2. Journal', '3. Decode and advance', '4. Rows', '5. Postgres']

const SYMBOLS = ['btcusd', 'ethgusdperp', 'solusd']
const RATE = 20
/** Far above what it takes on a busy machine. */
const PATIENCE_MS = 90_000

test('there are four, and what is checked in is what their source makes', () => {
  assert.deepEqual(Object.keys(DASHBOARDS), ['overview.json', 'symbol.json', 'pipeline.json', 'quality.json'])
  assert.deepEqual(globSync('*', { cwd: `${DIRECTORY}/dashboards` }).toSorted(), Object.keys(DASHBOARDS).toSorted())
  for (const [file, text] of Object.entries(DASHBOARDS)) {
    const checkedIn = readFileSync(`${DIRECTORY}/dashboards/${file}`, 'utf8')
    assert.ok(checkedIn === text, `${file} is stale: run "node deploy/grafana/src/write.ts"`)
  }
})

for (const { file, model } of models) {
  test(`${file}: every panel has a number, a place, a query and a sentence that explains it`, () => {
    assert.match(model.uid, /^booktape-/)
    assert.deepEqual(
      model.panels.map(({ id }) => id),
      model.panels.map((_, i) => i + 1),
    )
    for (const { title, description = '', gridPos, targets = [] } of panelsOf(model)) {
      assert.ok(title !== '' && description.length >= 20, title)
      assert.ok(gridPos.x + gridPos.w <= 24, `${title} is within the width`)
      assert.ok(targets.length > 0, title)
      assert.deepEqual(
        targets.map(({ refId }) => refId),
        Array.from('ABCDEFGH').slice(0, targets.length),
      )
      for (const { expr, rawSql, datasource } of targets)
        assert.equal(datasource.uid, rawSql === undefined ? '${prometheus}' : '${postgres}', `${title}: ${expr}`)
    }
    const taken = new Set<string>()
    for (const { title, gridPos } of model.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!taken.has(`${x} ${y}`), `${title} lies over another panel`)
          taken.add(`${x} ${y}`)
        }
      }
    }
  })
}

test('the pipeline has a row for each stage of the corridor, in its order', () => {
  const pipeline = models.find(({ file }) => file === 'pipeline.json')?.model
  const rows = pipeline?.panels.filter(({ type }) => type === 'row').map(({ title }) => title)
  assert.deepEqual(rows, ROWS_OF_THE_CORRIDOR)
})

test('the provisioned sources are of the kinds that the dashboards ask for', () => {
  type Sources = Readonly<{ datasources: readonly Readonly<{ type: string; secureJsonData?: { password: string } }>[] }>
  const { datasources } = parse(readFileSync(`${DIRECTORY}/provisioning/datasources/booktape.yaml`, 'utf8')) as Sources
  const types = datasources.map(({ type }) => type)
  const wanted = new Set(
    models.flatMap(({ model }) =>
      model.templating.list.flatMap(({ type, query }) => (type === 'datasource' ? query : [])),
    ),
  )
  assert.deepEqual(types, [...wanted])
  for (const { secureJsonData } of datasources)
    assert.match(secureJsonData?.password ?? '$', /^\$/, 'no password in a file')
})

describe('on a recorder that has seen every kind of fault', {
  skip: hasPrometheus() ? false : 'Prometheus is not installed: apt-get install prometheus',
}, () => {
  let exchange: ExchangeServer
  let recording: Recording | undefined
  let prometheus: Prometheus | undefined
  let client: Client | undefined
  let fromMs = 0
  before(async () => {
    fromMs = Date.now()
    exchange = await startExchangeServer({
      port: 0,
      seed: 9,
      symbols: SYMBOLS.map((symbol) => presetOf(symbol) ?? assert.fail(symbol)),
      rate: RATE,
      clock: systemClock(),
    })
    inject({ fault: 'refuse_subscribe', symbol: 'solusd', times: 1_000_000 }) // a book that stays away
    recording = await startRecording({
      env: { ...environmentOf(exchange, SYMBOLS), BOOKTAPE_SNAPSHOT_INTERVAL: '1s' },
    })
    prometheus = await Prometheus.start(new URL(recording.httpUrl).host, RULES)
    await recording.until(() => isLive('ws', 'btcusd') && isLive('v1', 'ethgusdperp'))
    await scraped() // series stand at their first value before they grow
    inject({ fault: 'drop', feed: 'ws', symbol: 'btcusd', kind: 'depth' })
    inject({ fault: 'malformed', feed: 'v1', symbol: 'ethgusdperp', kind: 'update' })
    inject({ fault: 'duplicate', feed: 'ws', symbol: 'ethgusdperp', kind: 'depth' })
    inject({ fault: 'corrupt', feed: 'ws', symbol: 'ethgusdperp', kind: 'depth', times: 50 })
    client = new Client({ connectionString: recording.databaseUrl })
    await client.connect()
    await client.query(`set timezone = 'UTC'`)
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'booktape recorder'`,
    )
    await recording.until(() => isLive('ws', 'btcusd'))
    await scraped()
  })
  after(async () => {
    await client?.end()
    await prometheus?.stop()
    await recording?.close()
    await exchange.stop()
  })

  const isLive = (feed: string, symbol: string): boolean =>
    (recording?.corridor.state.tracks.get(`${feed}:${symbol}`)?.epoch ?? null) !== null
  const inject = (fault: FaultRequest): void => {
    invariant(typeof exchange.exchange.faults.inject(fault) !== 'string', `the exchange takes ${fault.fault}`)
  }
  const scraped = async (): Promise<void> => {
    const sinceS = Date.now() / 1000
    await untilData('a look of Prometheus', async () =>
      (await series('booktape_build_info')).some(({ values }) => (values.at(-1)?.[0] ?? 0) > sinceS + 1),
    )
  }
  const series = async (expr: string): Promise<readonly Series[]> => {
    invariant(prometheus !== undefined, 'Prometheus runs')
    return await prometheus.range(expr, fromMs / 1000, Date.now() / 1000)
  }
  const query = async (text: string): Promise<Record<string, unknown>[]> => {
    invariant(client !== undefined, 'the database is connected')
    return (await client.query<Record<string, unknown>>(text)).rows
  }
  const untilData = async (what: string, hasData: () => Promise<boolean>): Promise<void> => {
    const patience = AbortSignal.timeout(PATIENCE_MS)
    invariant(recording !== undefined, 'the recorder runs')
    await recording.until(async () => {
      if (patience.aborted) assert.fail(`${what}: no data within ${PATIENCE_MS} ms`)
      return await hasData()
    })
  }

  test('every rule can be evaluated', async () => {
    await untilData('the rules', async () => (await prometheus?.rules())?.length === 48)
    const broken = (await prometheus?.rules())?.filter(({ lastError }) => lastError !== '')
    assert.deepEqual(broken, [])
  })

  for (const { file, model } of models) {
    for (const { title, targets = [] } of panelsOf(model)) {
      for (const { refId, expr, rawSql, format } of targets) {
        test(`${file}: "${title}" ${refId} has data`, async () => {
          if (expr !== undefined) {
            const asked = withVariables(expr)
            await untilData(asked, async () => (await series(asked)).some(hasNumber))
            return
          }
          const text = withSqlMacros(rawSql ?? '', fromMs)
          let rows: Record<string, unknown>[] = []
          await untilData(text, async () => {
            rows = await query(withSqlMacros(rawSql ?? '', fromMs))
            return rows.length > 0
          })
          const values = Object.entries(rows[0] ?? {})
          if (format === 'time_series') assert.ok(values.some(([name]) => name === 'time'))
          for (const name of Object.keys(rows[0] ?? {})) {
            if (OFTEN_EMPTY.includes(name)) continue
            assert.ok(
              rows.some((row) => row[name] !== null),
              `${name} is empty in all ${rows.length} rows`,
            )
          }
        })
      }
    }
    for (const { name, type, query: text } of model.templating.list.filter((variable) => variable.type === 'query')) {
      test(`${file}: the variable ${name} has values (${type})`, async () => {
        await untilData(text, async () => (await query(text)).length === SYMBOLS.length)
      })
    }
  }
})

/** Columns that only some rows have a value in. */
const OFTEN_EMPTY = ['from_id', 'to_id', 'ended_at', 'symbol']

/** As Grafana fills them in, for a recorder that is scraped every second. */
function withVariables(expr: string): string {
  const text = expr.replaceAll('$__rate_interval', '5s').replaceAll('$symbol', 'btcusd')
  assert.doesNotMatch(text, /\$/, 'no variable is left')
  return text
}

function withSqlMacros(text: string, fromMs: number): string {
  const filled = text
    .replaceAll('$__timeFrom()', `'${new Date(fromMs).toISOString()}'`)
    .replaceAll('$__timeTo()', `'${new Date().toISOString()}'`)
    .replaceAll('$__interval', '1s')
    .replaceAll('${symbol:sqlstring}', "'btcusd'")
    .replaceAll('${feed:sqlstring}', "'ws'")
  assert.doesNotMatch(filled, /\$/, 'no variable is left')
  return filled
}

function hasNumber({ values }: Series): boolean {
  return values.some(([, value]) => Number.isFinite(Number(value)))
}

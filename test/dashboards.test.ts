import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DASHBOARDS } from '@booktape/dashboards'
import { RECORDER_METRICS } from '@booktape/recorder'
import { METRIC_PREFIX, RUNTIME_METRICS } from '@booktape/runtime'
import { parse } from 'yaml'
import { MODELS, panelsOf } from './dashboard-models.ts'

// The dashboards are code (deploy/grafana/src); what Grafana loads is made of it and checked in. Whether their queries have
// something to show: test/dashboards-data.test.ts.

const DEPLOY = fileURLToPath(new URL('../deploy', import.meta.url))
const read = (path: string): string => readFileSync(`${DEPLOY}/${path}`, 'utf8')

const ROWS_OF_THE_CORRIDOR = ['1. Socket', '2. Journal', '3. Decode and advance', '4. Rows', '5. Postgres']
/** Symbol reads the prices from the database, where they are exact. */
const ON_NO_DASHBOARD = [RECORDER_METRICS.bestPrice.name]

const panels = MODELS.flatMap(({ model }) => panelsOf(model))

type Rules = Readonly<{ groups: readonly Readonly<{ rules: readonly Rule[] }>[] }>
type Rule = Readonly<{ record?: string; alert?: string; expr: string }>
const rules = (parse(read('prometheus/booktape.rules.yml')) as Rules).groups.flatMap((group) => group.rules)

test('there are five, and what is checked in is what their source makes', () => {
  assert.deepEqual(Object.keys(DASHBOARDS), [
    'overview.json',
    'symbol.json',
    'pipeline.json',
    'quality.json',
    'quotes.json',
  ])
  assert.deepEqual(globSync('*', { cwd: `${DEPLOY}/grafana/dashboards` }).sort(), Object.keys(DASHBOARDS).sort())
  for (const [file, text] of Object.entries(DASHBOARDS)) {
    assert.ok(read(`grafana/dashboards/${file}`) === text, `${file} is stale: run "node deploy/grafana/src/write.ts"`)
  }
})

for (const { file, model } of MODELS) {
  test(`${file}: every panel has a number, a name, a place, queries and sentences that explain it`, () => {
    assert.match(model.uid, /^booktape-/)
    assert.deepEqual(
      model.panels.map(({ id }) => id),
      model.panels.map((_, i) => i + 1),
    )
    const titles = panelsOf(model).map(({ title }) => title)
    assert.equal(new Set(titles).size, titles.length, 'no title twice')
    for (const { title, description = '', gridPos, targets = [] } of panelsOf(model)) {
      assert.match(description, /^[A-Z0-9].{30,}\.$/s, title)
      assert.ok(gridPos.x + gridPos.w <= 24, `${title} is within the width`)
      assert.ok(targets.length > 0, title)
      assert.deepEqual(
        targets.map(({ refId }) => refId),
        ['A', 'B', 'C'].slice(0, targets.length),
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

test('the pipeline has a row for each stage of the corridor, in its order, and one for the process', () => {
  const pipeline = MODELS.find(({ file }) => file === 'pipeline.json')?.model
  const rows = pipeline?.panels.filter(({ type }) => type === 'row').map(({ title }) => title)
  assert.deepEqual(rows, [...ROWS_OF_THE_CORRIDOR, 'The process'])
})

test('each alert is named by a panel that shows what it fires on, and no other is', () => {
  const named = panels.flatMap(({ description = '' }) => description.match(/\bBooktape[A-Z]\w+/g) ?? [])
  const alerts = rules.flatMap(({ alert }) => alert ?? [])
  assert.deepEqual([...new Set(named)].sort(), alerts.sort())
})

test('each metric of a recorder is on a dashboard', () => {
  const exprs = panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => expr ?? []))
  const recorded = rules.filter(({ record }) => record !== undefined && exprs.some((expr) => expr.includes(record)))
  const asked = [...exprs, ...recorded.map(({ expr }) => expr)].join('\n')
  const missing = Object.values({ ...RECORDER_METRICS, ...RUNTIME_METRICS })
    .map(({ name }) => name)
    .filter((name) => !new RegExp(`\\b${METRIC_PREFIX}${name}(_bucket)?\\b`).test(asked))
  assert.deepEqual(missing, ON_NO_DASHBOARD)
})

test('Compose gives Grafana the files where it looks for them, and data sources of the kinds that are asked for', () => {
  type Source = Readonly<{ type: string; url: string; user?: string; secureJsonData?: { password: string } }>
  type Provider = Readonly<{ options: { path: string } }>
  type Service = Readonly<{ volumes?: readonly string[]; environment?: Readonly<Record<string, string>> }>
  const { datasources } = parse(read('grafana/provisioning/datasources/booktape.yaml')) as { datasources: Source[] }
  const { providers } = parse(read('grafana/provisioning/dashboards/booktape.yaml')) as { providers: Provider[] }
  const { services } = parse(read('compose.yaml'), { merge: true }) as { services: Record<string, Service> }

  const wanted = MODELS.flatMap(({ model }) =>
    model.templating.list.flatMap(({ type, query }) => (type === 'datasource' ? query : [])),
  )
  assert.deepEqual(new Set(datasources.map(({ type }) => type)), new Set(wanted))
  for (const { url, user, secureJsonData } of datasources) {
    const host = url.replace(/^http:\/\//, '').replace(/:\d+$/, '')
    assert.ok(services[host] !== undefined, `${url} is a service`)
    if (user === undefined) continue
    assert.equal(user, 'grafana', 'not as the owner')
    const variable = /^\$(\w+)$/.exec(secureJsonData?.password ?? '')?.[1] ?? assert.fail('a password in a file')
    assert.ok(services['grafana']?.environment?.[variable] !== undefined, variable)
  }

  const volumes = services['grafana']?.volumes ?? []
  for (const kind of ['datasources', 'dashboards'])
    assert.ok(volumes.includes(`./grafana/provisioning/${kind}:/etc/grafana/provisioning/${kind}:ro`), kind)
  for (const { options } of providers) assert.ok(volumes.includes(`./grafana/dashboards:${options.path}:ro`))
  assert.equal(providers.length, 1)
})

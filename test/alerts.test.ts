import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { OPERATOR_MENDS, RECORDER_METRICS } from '@booktape/recorder'
import { createMetrics, METRIC_PREFIX } from '@booktape/runtime'
import { RETRY_CLASSES } from '@booktape/store'
import { parse } from 'yaml'
import { hasPrometheus } from './prometheus.ts'

// deploy/prometheus: every alert fires when it should and is quiet when it should, has a paragraph that says what to do, and asks
// only for metrics that there are.

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIRECTORY = join(ROOT, 'deploy/prometheus')
const RULES = 'booktape.rules.yml'
const TESTS = ['booktape.rules.test.yml', 'booktape.days.test.yml']
const SEVERITIES = ['page', 'ticket']
/** What we count beside our own: of the process, and of Prometheus. */
const OTHERS = [
  'up',
  'process_start_time_seconds',
  'process_resident_memory_bytes',
  'nodejs_heap_size_used_bytes',
  'nodejs_eventloop_lag_p99_seconds',
]

type Rule = Readonly<{
  record?: string
  alert?: string
  expr: string
  labels?: Readonly<Record<string, string>>
  annotations?: Readonly<Record<string, string>>
}>
type RuleFile = Readonly<{ groups: readonly Readonly<{ rules: readonly Rule[] }>[] }>
type RuleTests = Readonly<{
  tests: readonly Readonly<{
    alert_rule_test: readonly Readonly<{ alertname: string; exp_alerts: readonly unknown[] }>[]
  }>[]
}>

const read = (name: string): string => readFileSync(join(DIRECTORY, name), 'utf8')
const rules = (parse(read(RULES)) as RuleFile).groups.flatMap((group) => group.rules)
const alerts = rules.filter((rule) => rule.alert !== undefined)
const cases = TESTS.flatMap((name) => (parse(read(name)) as RuleTests).tests).flatMap((each) => each.alert_rule_test)
const page = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8')

const skip = hasPrometheus() ? false : 'Prometheus is not installed: apt-get install prometheus'

test('CI has a Prometheus', { skip: process.env['CI'] === undefined ? 'this is not CI' : false }, () => {
  assert.ok(hasPrometheus(), 'Prometheus is not installed, and .ci/run should have installed it')
})

test('promtool accepts the configuration and the rules', { skip }, async () => {
  await promtool('check', 'config', 'prometheus.yml')
  await promtool('check', 'rules', '--lint=all', '--lint-fatal', RULES)
})

for (const name of TESTS) {
  test(`promtool runs ${name}`, { skip }, async () => void (await promtool('test', 'rules', name)))
}

test('each alert has a case in which it fires and one in which it is quiet', (t) => {
  for (const { alert } of alerts) {
    const own = cases.filter(({ alertname }) => alertname === alert)
    assert.ok(
      own.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} never fires in a test`,
    )
    assert.ok(
      own.some(({ exp_alerts }) => exp_alerts.length === 0),
      `${alert} is never quiet in a test`,
    )
  }
  const strangers = cases.filter(({ alertname }) => !alerts.some(({ alert }) => alert === alertname))
  assert.deepEqual(strangers, [], 'a case of no alert is always quiet')
  t.diagnostic(`${alerts.length} alerts, ${cases.length} cases`)
})

for (const { alert = '', labels, annotations } of alerts) {
  test(`${alert} says how urgent it is, and its paragraph says what it means, what to look at and what to do`, () => {
    assert.match(alert, /^Booktape[A-Z]/)
    assert.ok(SEVERITIES.includes(labels?.['severity'] ?? ''), `severity is one of ${SEVERITIES.join(', ')}`)
    assert.equal(annotations?.['runbook_url'], `docs/operating.md#${alert.toLowerCase()}`)
    assert.ok(annotations?.['summary'] && annotations['description'])
    const paragraph = page.split(/^#+ /m).find((section) => section.startsWith(`${alert}\n`)) ?? ''
    const urgency = labels?.['severity'] === 'page' ? '*Page.*' : '*Ticket.*'
    for (const part of [urgency, /\*\*Means\b/, /\blook\b.*:\*\*/i, /\bdo:\*\*/i])
      assert.match(paragraph, asPattern(part))
  })
}

test('every alert paragraph of the page has its alert', () => {
  const titled = [...page.matchAll(/^### (Booktape\w+)$/gm)].map(([, title = '']) => title)
  assert.deepEqual(titled.toSorted(), alerts.map(({ alert = '' }) => alert).toSorted())
})

test('rules ask only for metrics that the recorder has, for rules, and for a few others', () => {
  const known = new Set([...OTHERS, ...rules.flatMap(({ record }) => record ?? [])])
  for (const { name, type } of metricRows()) {
    known.add(name)
    if (type === 'histogram') for (const part of ['bucket', 'sum', 'count']) known.add(`${name}_${part}`)
  }
  for (const { alert, record, expr } of rules) {
    const asked = namesIn(expr)
    assert.ok(asked.length > 0, `${alert ?? record} asks for nothing`)
    for (const name of asked)
      assert.ok(known.has(name), `${alert ?? record} asks for ${name}, and there is no such metric`)
  }
})

test('no alert asks for crossed books or other oddities: in the sandbox they are usual', () => {
  const asking = rules.filter(({ expr }) => /anomalies|crossed/.test(expr))
  assert.deepEqual(asking, [])
})

test('the page lists every metric with its type, its labels and its meaning', () => {
  const expected = metricRows().map(
    ({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.join(', ') || '-'} | ${help} |`,
  )
  const listed = page.split('\n').filter((line) => line.startsWith('| `booktape_'))
  assert.deepEqual(listed, expected)
})

test('the page says what to do for each class of a batch that was not taken', () => {
  const codes = [...OPERATOR_MENDS, 'POSITION_MOVED', 'POISON'].map((code) => code.toLowerCase())
  const [, table = ''] = /^\| class \| do \|\n([^]+?)\n\n/m.exec(page) ?? []
  const listed = table.split('\n').flatMap((row) => (row.split('|')[1] ?? '').match(/(?<=`)\w+/g) ?? [])
  assert.deepEqual(listed.toSorted(), [...RETRY_CLASSES, ...codes].toSorted())
})

/** What the recorder registers, as `/metrics` names it. */
function metricRows(): { name: string; type: string; labels: readonly string[]; help: string }[] {
  const ours = Object.values(RECORDER_METRICS).map((row) => ({ ...row, name: METRIC_PREFIX + row.name }))
  const ofTheProcess = createMetrics({ version: 'any' })
    .registry.getMetricsAsArray()
    .filter(({ name }) => name.startsWith(METRIC_PREFIX))
    .map(({ name, help }) => ({ name, type: 'gauge', labels: name.endsWith('build_info') ? ['version'] : [], help }))
  return [...ours, ...ofTheProcess]
}

/** Metric names of an expression: identifiers that are no function, keyword, label or text. */
function namesIn(expr: string): string[] {
  const bare = expr
    .replaceAll(/"[^"]*"|'[^']*'/g, '')
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(?:by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)/g, ' ')
  const words = [...bare.matchAll(/[a-zA-Z_:][\w:]*(?!\w*\s*\()/g)].map(([word]) => word)
  return words.filter((word) => !/^(?:and|or|unless|offset|bool|h|d|m)$/.test(word) && !isNumberSuffix(bare, word))
}

/** `1h` after `offset` is a duration. */
function isNumberSuffix(text: string, word: string): boolean {
  return new RegExp(`\\d${word}\\b`).test(text)
}

function asPattern(part: string | RegExp): RegExp {
  return typeof part === 'string' ? new RegExp(part.replaceAll(/[*.]/g, '\\$&')) : part
}

async function promtool(...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('promtool', [...args], { cwd: DIRECTORY })
    return stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`promtool ${args.join(' ')}:\n${stdout}\n${stderr}`, { cause: error })
  }
}

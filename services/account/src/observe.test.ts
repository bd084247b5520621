import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createLogger, createMetrics } from '@booktape/runtime'
import { AccountObserver } from './observe.ts'

const [PAGE, RECORDERS_PAGE] = ['account.md', 'operating.md'].map((page) =>
  readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8'),
) as [string, string]

function observed() {
  const metrics = createMetrics({ version: 'test' })
  return { metrics, observer: new AccountObserver(metrics, createLogger({ level: 'silent', name: 'test' })) }
}

test('every metric is on a page for operators, as it is described here', async () => {
  const { metrics } = observed()
  const own = (await metrics.registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('booktape_'))
  const missing = own.filter(({ name }) => !`${PAGE}${RECORDERS_PAGE}`.includes(`\`${name}\``)).map(({ name }) => name)
  assert.deepEqual(missing, [])
  for (const { name, help } of own) {
    if (!/_account_|instant|private/.test(name)) continue
    assert.ok(
      PAGE.split('\n').some((line) => line.startsWith(`| \`${name}\``) && line.includes(help)),
      name,
    )
  }
})

test('what is seen on the feeds is counted', async () => {
  const { metrics, observer } = observed()
  observer.saw([
    { kind: 'connect', feed: 'v1', result: 'opened', reason: 'u' },
    { kind: 'message', feed: 'v1', message: 'order' },
    { kind: 'message', feed: 'v1', message: 'order' },
    { kind: 'live', feed: 'v1' },
    { kind: 'live', feed: 'ws' },
    { kind: 'gap', feed: 'ws', cause: 'silence' },
    { kind: 'anomaly', feed: 'v1', anomaly: 'duplicate' },
  ])
  const text = await metrics.registry.metrics()
  for (const line of [
    'booktape_account_connects_total{feed="v1",result="opened"} 1',
    'booktape_account_messages_total{feed="v1",message="order"} 2',
    'booktape_account_feed_live{feed="v1"} 1',
    'booktape_account_feed_live{feed="ws"} 0',
    'booktape_account_gaps_total{feed="ws",cause="silence"} 1',
    'booktape_account_anomalies_total{feed="v1",anomaly="duplicate"} 1',
  ])
    assert.ok(text.includes(`${line}\n`), line)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from './metrics.ts'

test('metrics carry the prefix, their labels and the version, beside those of the process', async () => {
  const metrics = createMetrics({ version: '1.2.3' })
  metrics.counter('gaps_total', 'Gaps.', ['feed']).inc({ feed: 'v1' }, 2)
  metrics.gauge('backlog_messages', 'Backlog.').set(7)
  metrics.histogram('commit_lag_seconds', 'Lag.', [0.1, 1], ['feed']).observe({ feed: 'ws' }, 0.5)
  const lines = (await metrics.registry.metrics()).split('\n')
  for (const line of [
    'booktape_build_info{version="1.2.3"} 1',
    'booktape_gaps_total{feed="v1"} 2',
    'booktape_backlog_messages 7',
    'booktape_commit_lag_seconds_bucket{le="0.1",feed="ws"} 0',
    'booktape_commit_lag_seconds_bucket{le="1",feed="ws"} 1',
  ]) {
    assert.ok(lines.includes(line), line)
  }
  assert.ok(lines.some((line) => line.startsWith('process_resident_memory_bytes ')))
})

test('two registries share nothing', async () => {
  createMetrics({ version: 'a' }).gauge('only_here', 'x').set(1)
  assert.doesNotMatch(await createMetrics({ version: 'b' }).registry.metrics(), /only_here|version="a"/)
})

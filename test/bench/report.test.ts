import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AreaResult, advantage, type Metric, median, percentile, roundRobin } from './measure.ts'
import { pageWith, RESULTS_BEGIN, RESULTS_END } from './page.ts'
import { histogramPercentile } from './recorder-process.ts'
import { areaText, wrongOnes } from './report.ts'

const metric: Metric = {
  name: 'apply',
  unit: 'ns a change',
  better: 'less',
  measured: [
    { contestant: 'booktape', samples: [100, 300, 200], correct: true, note: 'exact' },
    { contestant: 'other', samples: [500, 400, 700], correct: false },
    { contestant: 'floor', samples: [50], correct: null },
  ],
}
const result: AreaResult = {
  area: 'book',
  workload: 'ten changes',
  metrics: [metric],
  goals: [{ text: 'twice as fast', reached: '2.5x', met: true }],
}

test('medians, percentiles and ratios', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
  assert.equal(percentile([5, 1, 4, 2, 3], 0.5), 3)
  assert.equal(percentile([5, 1, 4, 2, 3], 0.99), 5)
  assert.equal(advantage(metric, 'other'), 2.5)
  assert.equal(advantage({ ...metric, better: 'more' }, 'other'), 0.4)
})

test('every round takes each contestant once, in turns, and warm-ups do not count', async () => {
  const order: string[] = []
  const samples = await roundRobin(['a', 'b'], 2, (contestant, round) => {
    order.push(`${contestant}${round}`)
    return round
  })
  assert.deepEqual(order, ['b0', 'a0', 'a1', 'b1', 'b2', 'a2'])
  assert.deepEqual(
    [...samples],
    [
      ['a', [1, 2]],
      ['b', [1, 2]],
    ],
  )
})

test('a contestant with a wrong result is named', () => {
  assert.deepEqual(wrongOnes([result]), ['book, apply: other'])
})

test('the table has the median, the spread, the ratio and the goal', () => {
  assert.equal(
    areaText(result),
    [
      'book: ten changes',
      '',
      '  apply     ns a change  least to most  to booktape  right',
      '  booktape          200  100 to 300              1x  yes    exact',
      '  other             500  400 to 700            2.5x  NO',
      '  floor              50  50 to 50             0.25x',
      '',
      '  goal  twice as fast: 2.5x  met',
      '',
    ].join('\n'),
  )
})

test('the page takes the new results and keeps those of other areas', () => {
  const page = `before\n${RESULTS_BEGIN}\n\n## book\n\nold\n\n## idle\n\nkept\n\n${RESULTS_END}\nafter\n`
  const machine = { date: '2026-11-21T00:00:00Z', commit: 'abc', processor: 'a processor', cores: 2, node: 'v24' }
  const written = pageWith(page, machine, [{ ...result, loadBefore: 1, loadAfter: 2 }])
  assert.match(written, /^before\n/)
  assert.match(written, /\n\| other \| 500 \| 400 to 700 \| 2\.5x \| NO \|  \|\n/)
  assert.doesNotMatch(written, /old/)
  assert.match(written, /## idle\n\nkept\n\n<!-- end of results -->\nafter\n$/)
})

test('a percentile of a histogram lies within its bucket', () => {
  const metrics = [
    'lag_bucket{le="0.05",feed="ws"} 50',
    'lag_bucket{le="0.1",feed="ws"} 90',
    'lag_bucket{le="+Inf",feed="ws"} 100',
  ].join('\n')
  assert.equal(histogramPercentile(metrics, 'lag', 0.5), 0.05)
  assert.equal(histogramPercentile(metrics, 'lag', 0.9), 0.1)
  assert.equal(histogramPercentile(metrics, 'lag', 0.99), Number.POSITIVE_INFINITY)
})

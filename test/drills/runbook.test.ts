import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INCIDENTS } from './runbook-incidents.ts'
import { paragraphOf } from './runbook-page.ts'

// The drill itself takes a quarter of an hour. What it reads from docs/operating.md is read here.

for (const { alert } of INCIDENTS) {
  test(`the page says what ${alert} means`, () => {
    assert.match(paragraphOf(alert).means, /^\w.{20,}\.$/)
  })
}

test('queries and expressions of a paragraph are read whole', () => {
  const { queries, expressions } = paragraphOf('BooktapeCoverageFast')
  assert.deepEqual(queries, ["select cause, count(*) from market.gaps where state = 'open' group by cause"])
  assert.deepEqual(expressions, ['booktape:coverage:ratio', 'feed_symbol:booktape_book_live:max == 0'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger, createMetrics } from '@booktape/runtime'
import { advance, type CorridorEvent, newCorridorState, type RunSettings } from '@booktape/session'
import { Observer } from './observe.ts'
import type { Commit } from './readiness.ts'

const HOSTILE_SYMBOLS = 100_000
const SECOND_NS = 1_000_000_000n
const AT = { wallNs: 1_785_312_000_000_000_000n, monoNs: 1_000_000_000n }
const RUN: RunSettings = {
  runId: 'a run',
  line: 'a',
  symbols: ['btcusd'],
  feeds: ['ws', 'v1'],
  v1Url: 'ws://127.0.0.1:1',
  wsUrl: 'ws://127.0.0.1:2',
  snapshotIntervalMs: 60_000,
}

test(`${HOSTILE_SYMBOLS} symbols that nobody asked for make no book, no series and no row each`, async () => {
  const recorder = observed()
  recorder.hear('{"e":"depthUpdate","E":1,"s":"btcusd","U":5,"u":5,"b":[["1","1"]],"a":[["2","1"]]}')
  assert.ok((await recorder.series()).includes('booktape_book_live{feed="ws",symbol="btcusd"} 1'))
  recorder.hear('{"e":"depthUpdate","E":1,"s":"strangerusd","U":5,"u":5,"b":[],"a":[]}')
  recorder.hear('{"E":1,"s":"strangerusd","t":1,"p":"1","q":"1","m":true}')
  recorder.hear('{"e":"stranger0"}')
  recorder.hear('{"e":"depthUpdate","E":1,"s":"__proto__","U":5,"u":5,"b":[],"a":[]}')
  const before = await recorder.series()
  const rows = recorder.rows
  for (let i = 0; i < HOSTILE_SYMBOLS; i++) {
    recorder.hear(
      i % 2 === 0
        ? `{"e":"depthUpdate","E":1,"s":"stranger${i}","U":${i},"u":${i},"b":[["1","1"]],"a":[]}`
        : `{"E":1,"s":"STRANGER${i}","t":${i},"p":"1","q":"1","m":true}`,
    )
  }
  const after = await recorder.series()
  assert.deepEqual(names(after), names(before))
  assert.equal(after.filter((line) => /stranger|__proto__/i.test(line)).length, 0)
  assert.equal(recorder.rows, rows)
  assert.deepEqual([...recorder.state.tracks.keys()], ['ws:btcusd', 'v1:btcusd'])
})

test('text of the venue in events and refusals makes no series either, and what is kept of it a minute is bounded', async () => {
  const recorder = observed()
  recorder.hear('{"e":"stranger"}')
  recorder.hear('{"e":"MALFORMED_JSON"}')
  recorder.hear('{')
  const before = await recorder.series()
  for (let i = 0; i < 1_000; i++) recorder.hear(`{"e":"WEIRD_${i}: x"}`)
  const after = await recorder.series()
  const grown = names(after).filter((name) => !names(before).includes(name))
  assert.deepEqual(grown, ['booktape_quarantined_total{feed="ws",reason="over_limit"}'])
  assert.equal(recorder.rows, 120)
})

test('rows that the database refuses are counted once a batch, once a row and once a gap', async () => {
  const recorder = observed()
  const reason = 'unstorable row of trades, 23514: no'
  recorder.observer.poisoned([])
  recorder.observer.poisoned([
    { table: 'trades', feed: 'rest', symbol: 'btcusd', gap: { feed: 'ws', stream: 'trades' }, reason },
    { table: 'quotes', feed: 'v1', symbol: 'btcusd', gap: null, reason },
  ])
  const series = await recorder.series()
  for (const expected of [
    'booktape_write_failures_total{class="poison"} 1',
    'booktape_quarantined_total{feed="rest",reason="unstorable"} 1',
    'booktape_quarantined_total{feed="v1",reason="unstorable"} 1',
    'booktape_gaps_total{feed="ws",symbol="btcusd",stream="trades",cause="unstorable"} 1',
  ])
    assert.ok(series.includes(expected), expected)
})

test('ages begin at the start, and begin anew with what they wait for', async () => {
  const recorder = observed()
  assert.deepEqual(await recorder.agesAfter(600), { commit: 600, housekeeping: 600 })
  recorder.observer.housekept(AT.monoNs + 540n * SECOND_NS)
  assert.deepEqual(await recorder.agesAfter(600), { commit: 600, housekeeping: 60 })
  recorder.lastCommit = { monoNs: AT.monoNs + 599n * SECOND_NS, recordedUntilNs: AT.wallNs }
  assert.deepEqual(await recorder.agesAfter(600), { commit: 1, housekeeping: 60 })
})

test('what is rare and alarming stands at 0 before it happens', async () => {
  const series = await observed().series()
  for (const expected of [
    'booktape_audits_total{symbol="btcusd",result="different"} 0',
    'booktape_trade_conflicts_total{symbol="btcusd"} 0',
    'booktape_trades_gaps_settled_total{state="unfillable"} 0',
  ])
    assert.ok(series.includes(expected), expected)
})

/** An open connection of the new API, and what is counted of what comes on it. */
function observed() {
  const state = newCorridorState()
  const metrics = createMetrics({ version: 'test' })
  const observer = new Observer(metrics, createLogger({ level: 'silent', name: 'test' }), {
    line: 'a',
    shard: 0,
    shards: 1,
    journalLimitBytes: 2 ** 30,
  })
  let messageSeq = 0
  let quarantined = 0
  let lastCommit: Commit | null = null
  const at = AT
  const take = (event: CorridorEvent): void => {
    const step = advance(state, event)
    observer.observe(event, step)
    quarantined += step.records.filter((record) => record.kind === 'quarantine').length
  }
  const gauge = (passedNs: bigint): void =>
    observer.gauge({
      state,
      now: { wallNs: at.wallNs + passedNs, monoNs: at.monoNs + passedNs },
      startedNs: at.monoNs,
      journalBytes: 0,
      backlog: 0,
      waitingDials: 0,
      lastCommit,
    })
  take({ kind: 'started', at, run: RUN })
  take({ kind: 'tick', at })
  take({ kind: 'dialing', at, connection: 1, session: 'ws#0', sessionId: 'one', url: RUN.wsUrl })
  take({ kind: 'opened', at, connection: 1 })
  return {
    state,
    observer,
    get rows() {
      return quarantined
    },
    hear: (text: string): void => {
      const payload = new TextEncoder().encode(text)
      take({ kind: 'frame', at, connection: 1, messageSeq: ++messageSeq, isBinary: false, payload })
    },
    set lastCommit(commit: Commit) {
      lastCommit = commit
    },
    agesAfter: async (seconds: number): Promise<{ commit: number; housekeeping: number }> => {
      gauge(BigInt(seconds) * SECOND_NS)
      const text = await metrics.registry.metrics()
      const age = (name: string): number =>
        Number(new RegExp(`^booktape_${name}_age_seconds (.+)$`, 'm').exec(text)?.[1])
      return { commit: age('last_commit'), housekeeping: age('housekeeping') }
    },
    series: async (): Promise<string[]> => {
      gauge(0n)
      const text = await metrics.registry.metrics()
      return text.split('\n').filter((line) => line.startsWith('booktape_'))
    },
  }
}

const names = (series: readonly string[]): string[] => series.map((line) => line.slice(0, line.lastIndexOf(' ')))

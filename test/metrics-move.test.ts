import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  type ExchangeServer,
  type FaultRequest,
  presetOf,
  SYMBOL_PRESETS,
  type SymbolSpec,
  startExchangeServer,
} from '@booktape/exchange'
import { invariant } from '@booktape/market'
import { RECORDER_METRICS } from '@booktape/recorder'
import { systemClock } from '@booktape/runtime'
import { Client } from 'pg'
import { type Labels, Reading } from './metrics-reading.ts'
import { type Recording, startRecording } from './recording.ts'
import { allLive, environmentOf } from './recording-drill.ts'

// A metric that stands still while the thing happens that it is for is worse than none. So each is shown to move, on a recorder
// that runs at the simulated exchange: `moves` names the metrics, and the faults together name all there are.

/** Of the contract, section 5, and our own. */
const METRICS = [...Object.values(RECORDER_METRICS).map(({ name }) => name), 'build_info']
/** Shown in services/recorder/src/observe.test.ts: nothing from outside brings them about within seconds. */
const ELSEWHERE = ['housekeeping_age_seconds']

const SYMBOLS = ['btcusd', 'ethgusdperp'] // one with many trades, one with a small book
/** Busier than the venue, so that seconds hold what would be minutes. */
const RATE = 20
/** Far above what any of these takes on a busy machine: whoever reaches it hangs, and the test must say so. */
const PATIENCE_MS = 60_000
/** On half of them are more v1 connections than the dial budget gives at once. */
const MANY = 30
const STALL_MS = 300

type Scene = Readonly<{
  exchange: ExchangeServer
  recording: Recording
  inject(fault: FaultRequest): void
  read(): Promise<Reading>
  /** The first look at which the condition is true. */
  until(what: string, condition: (now: Reading) => boolean): Promise<Reading>
}>

type Fault = Readonly<{ what: string; moves: readonly string[]; prove: (scene: Scene) => Promise<void> }>

const BTC_WS = { feed: 'ws', symbol: 'btcusd' }

const FAULTS: readonly Fault[] = [
  {
    what: 'a frame of the new API is lost: one gap, one resync, and a book that is proven anew',
    moves: ['gaps_total', 'resyncs_total', 'book_proven_age_seconds'],
    prove: async ({ inject, until }) => {
      const lost = { ...BTC_WS, cause: 'sequence' }
      const earlier = await until(
        'a proof that is a second old',
        (now) => now.sum('book_proven_age_seconds', BTC_WS) > 1,
      )
      inject({ fault: 'drop', ...BTC_WS, feed: 'ws', kind: 'depth' })
      const later = await until(
        'the book to be back',
        (now) => delta(earlier, now, 'resyncs_total', lost) > 0 && now.sum('book_live', BTC_WS) === 1,
      )
      assert.equal(delta(earlier, later, 'gaps_total', { ...lost, stream: 'book' }), 1)
      assert.equal(delta(earlier, later, 'resyncs_total', lost), 1)
      await until('a new proof', (now) => now.sum('book_proven_age_seconds', BTC_WS) < 1)
    },
  },
  {
    what: 'the venue says nothing more of a symbol, while its market goes on',
    moves: [
      'messages_received_total',
      'book_changes_applied_total',
      'trades_received_total',
      'last_message_age_seconds',
    ],
    prove: async ({ exchange, inject, until }) => {
      const counters = ['messages_received_total', 'book_changes_applied_total', 'trades_received_total']
      const { truth } = exchange.exchange
      inject({ fault: 'stop_publishing', symbol: 'btcusd' })
      const silent = await until('a silence', (now) => now.sum('last_message_age_seconds', BTC_WS) > 1)
      const made = truth.counts('btcusd')
      const still = await until(
        'the market to go on',
        () => truth.counts('btcusd').changes > made.changes + 100 && truth.counts('btcusd').trades > made.trades,
      )
      const streams = { ...BTC_WS, kind: 'depth' }
      assert.equal(delta(silent, still, 'messages_received_total', streams), 0)
      assert.equal(delta(silent, still, 'book_changes_applied_total', BTC_WS), 0)
      assert.equal(delta(silent, still, 'trades_received_total', BTC_WS), 0)
      assert.ok(still.sum('last_message_age_seconds', BTC_WS) > silent.sum('last_message_age_seconds', BTC_WS))
      inject({ fault: 'resume_publishing', symbol: 'btcusd' })
      await until(
        'the stream',
        (now) =>
          counters.every((name) => delta(still, now, name, BTC_WS) > 0) &&
          delta(still, now, 'messages_received_total', streams) > 0 &&
          now.sum('last_message_age_seconds', BTC_WS) < 1,
      )
    },
  },
  {
    what: 'a connection breaks, the next is refused and REST fails: what was missed is filled once both are back',
    moves: [
      'connects_total',
      'connections',
      'book_live',
      'trades_gaps_unfilled',
      'trades_gaps_settled_total',
      'trades_read_age_seconds',
      'trade_conflicts_total',
    ],
    prove: async ({ inject, until, recording }) => {
      const earlier = await until(
        'stored trades that REST was read beyond',
        (now) => now.sum('connections', { feed: 'ws' }) === 1 && now.sum('trades_read_age_seconds') > 1,
      )
      // What REST will say of these trades is not what stands in the database.
      await recording.query('update booktape.trades set quantity = quantity + 1')
      inject({ fault: 'refuse_rest', times: 2 })
      inject({ fault: 'refuse_upgrade', feed: 'ws', status: 503 })
      inject({ fault: 'close', feed: 'ws', code: 1006 })
      await until(
        'no connection and no book',
        (now) => now.sum('connections', { feed: 'ws' }) === 0 && now.sum('book_live', { feed: 'ws' }) === 0,
      )
      await until('gaps that wait for REST', (now) => now.sum('trades_gaps_unfilled') > 0)
      const later = await until(
        'gaps that are filled',
        (now) =>
          now.sum('trades_gaps_unfilled') === 0 &&
          now.sum('connections', { feed: 'ws' }) === 1 &&
          now.sum('book_live', { feed: 'ws' }) === SYMBOLS.length &&
          delta(earlier, now, 'trade_conflicts_total') > 0,
      )
      for (const result of ['opened', 'refused', 'closed'])
        assert.equal(delta(earlier, later, 'connects_total', { feed: 'ws', result }), 1, result)
      assert.ok(delta(earlier, later, 'trades_gaps_settled_total', { state: 'filled' }) >= SYMBOLS.length)
      await until('trades that were just read', (now) => now.sum('trades_read_age_seconds', { symbol: 'btcusd' }) < 5)
    },
  },
  {
    what: 'all orders of one side are withdrawn',
    moves: ['book_levels', 'best_price'],
    prove: async ({ inject, until, read }) => {
      const asks = { feed: 'ws', symbol: 'ethgusdperp', side: 'ask' }
      const earlier = await read()
      assert.ok(earlier.sum('book_levels', asks) > 0 && earlier.sum('best_price', asks) > 0)
      inject({ fault: 'empty_book', symbol: 'ethgusdperp', side: 'ask' })
      await until('an empty side', (now) => now.sum('book_levels', asks) === 0 && !now.has('best_price', asks))
      inject({ fault: 'reopen_book', symbol: 'ethgusdperp' })
      await until('orders', (now) => now.sum('book_levels', asks) > 0 && now.sum('best_price', asks) > 0)
    },
  },
  {
    what: 'a message is under way for more than a second',
    moves: ['event_lag_seconds'],
    prove: async ({ inject, read, until }) => {
      const earlier = await read()
      inject({ fault: 'delay', feed: 'ws', symbol: 'btcusd', kind: 'trade', delayMs: 1_200 })
      await until(
        'it',
        (now) =>
          now.above('event_lag_seconds', 1, { feed: 'ws' }) > earlier.above('event_lag_seconds', 1, { feed: 'ws' }),
      )
    },
  },
  {
    what: 'a table is locked: nothing is stored, everything is kept, and then it is stored late',
    moves: [
      'last_commit_age_seconds',
      'backlog_messages',
      'journal_bytes',
      'rows_written_total',
      'commit_lag_seconds',
      'write_failures_total',
    ],
    prove: async ({ recording, until }) => {
      const locker = new Client({ connectionString: recording.databaseUrl })
      await locker.connect()
      try {
        await locker.query('begin; lock table booktape.book_messages in exclusive mode')
        const locked = await until('no commit', (now) => now.sum('last_commit_age_seconds') > 1)
        const still = await until(
          'a backlog',
          (now) => now.sum('backlog_messages') > locked.sum('backlog_messages') + 500,
        )
        assert.equal(delta(locked, still, 'rows_written_total'), 0)
        assert.ok(delta(locked, still, 'journal_bytes') > 0)
        assert.ok(delta(locked, still, 'last_commit_age_seconds') > 0)
        await locker.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and application_name = 'booktape recorder'`,
        )
        await until('a refused batch', (now) => delta(locked, now, 'write_failures_total') > 0)
        await locker.query('rollback')
        const later = await until(
          'everything to be stored',
          (now) =>
            now.sum('backlog_messages') < locked.sum('backlog_messages') && now.sum('last_commit_age_seconds') < 1,
        )
        assert.ok(delta(still, later, 'rows_written_total', { table: 'book_messages' }) > 0)
        assert.ok(later.above('commit_lag_seconds', 1) > locked.above('commit_lag_seconds', 1))
      } finally {
        await locker.end()
      }
    },
  },
  {
    what: 'the process stands still between writing down and syncing',
    moves: ['journal_sync_seconds'],
    prove: async ({ read, until }) => {
      const earlier = await read()
      const stall = new Int32Array(new SharedArrayBuffer(4))
      await until('a slow sync', (now) => {
        Atomics.wait(stall, 0, 0, STALL_MS)
        return now.above('journal_sync_seconds', 0.1) > earlier.above('journal_sync_seconds', 0.1)
      })
    },
  },
  {
    what: 'the venue changes quantities on the way: the book is not the one that its own tickers tell of',
    moves: ['audits_total'],
    prove: async ({ exchange, inject, read, until }) => {
      const different = { symbol: 'btcusd', result: 'different' }
      const earlier = await read()
      assert.ok(earlier.has('audits_total', different), 'stands at 0 before the first')
      inject({ fault: 'corrupt', feed: 'ws', symbol: 'btcusd', kind: 'depth', times: 200 })
      await until('an audit', (now) => delta(earlier, now, 'audits_total', different) > 0)
      exchange.exchange.faults.clear()
    },
  },
  {
    what: 'messages that are cut, of an unknown kind, or sent twice',
    moves: ['quarantined_total', 'anomalies_total'],
    prove: async ({ inject, read, until }) => {
      const earlier = await read()
      inject({ fault: 'malformed', feed: 'v1', symbol: 'ethgusdperp', kind: 'update' })
      inject({ fault: 'unknown_type', feed: 'ws', symbol: 'btcusd', kind: 'trade' })
      inject({ fault: 'duplicate', feed: 'ws', symbol: 'ethgusdperp', kind: 'depth' })
      const later = await until(
        'all three',
        (now) =>
          delta(earlier, now, 'quarantined_total') >= 2 &&
          delta(earlier, now, 'anomalies_total', { anomaly: 'stale_update' }) > 0,
      )
      assert.equal(delta(earlier, later, 'quarantined_total', { feed: 'v1', reason: 'malformed_json' }), 1)
      assert.equal(delta(earlier, later, 'quarantined_total', { feed: 'ws', reason: 'not_recorded' }), 1)
    },
  },
]

/** Shown by a second recorder, which is told other things and finds other things. */
const SECOND_START = [
  'build_info',
  'recorder_info',
  'shards',
  'journal_limit_bytes',
  'dials_waiting',
  'default_partition_rows',
]

test('each metric is moved by a fault', () => {
  const moved = [...FAULTS.flatMap(({ moves }) => moves), ...SECOND_START, ...ELSEWHERE]
  assert.deepEqual(moved.toSorted(), METRICS.toSorted())
})

describe('on a recorder at the simulated exchange', () => {
  let scene: Scene
  let exchange: ExchangeServer // by itself: it is to be stopped also where the recorder does not start
  before(async () => {
    exchange = await startExchange(SYMBOLS.map((symbol) => specOf(symbol)))
    const recording = await startRecording({
      env: { ...environmentOf(exchange, SYMBOLS), BOOKTAPE_SNAPSHOT_INTERVAL: '1s' },
      version: '1.0.0',
    })
    scene = sceneOf(exchange, recording)
    await recording.until(() => allLive({ recording }))
    await scene.until('rows', (now) => now.sum('rows_written_total', { table: 'book_messages' }) > 0)
  })
  after(async () => {
    await scene?.recording.close()
    await exchange.stop()
  })

  for (const { what, moves, prove } of FAULTS) {
    test(`${what} (${moves.join(', ')})`, async () => {
      for (const metric of moves) assert.ok(METRICS.includes(metric), metric)
      await prove(scene)
    })
  }

  test(`a second recorder is told other things and finds a row without a partition (${SECOND_START.join(', ')})`, async (t) => {
    const first = await scene.read()
    assert.equal(first.sum('recorder_info', { line: 'a', shard: '0' }), 1)
    assert.equal(first.sum('shards'), 1)
    assert.equal(first.sum('default_partition_rows'), 0)
    assert.ok(first.has('default_partition_rows', { table: 'quotes' }))
    assert.equal(first.sum('build_info', { version: '1.0.0' }), 1)

    await scene.recording.query(
      `insert into booktape.quotes select (jsonb_populate_record(q, '{"received_time": "2001-01-01"}')).* from booktape.quotes q limit 1`,
    )
    const specs = SYMBOL_PRESETS.toSorted((a, b) => a.bids - b.bids).slice(0, MANY)
    const other = await startExchange(specs)
    t.after(() => other.stop())
    const recording = await startRecording({
      env: {
        ...environmentOf(
          other,
          specs.map(({ symbol }) => symbol),
        ),
        BOOKTAPE_FEEDS: 'v1',
        BOOKTAPE_LINE: 'b',
        BOOKTAPE_SHARD: '1',
        BOOKTAPE_SHARDS: '2',
        BOOKTAPE_JOURNAL_LIMIT: '512MiB',
      },
      version: '1.0.1',
      database: { url: scene.recording.databaseUrl, close: async () => undefined },
    })
    t.after(() => recording.close())
    const second = sceneOf(other, recording)
    await second.until('dials that wait', (now) => now.sum('dials_waiting') > 0)
    const now = await second.until(
      'all of them to be made',
      (at) => at.sum('dials_waiting') === 0 && at.sum('default_partition_rows', { table: 'quotes' }) === 1,
    )
    assert.equal(now.sum('build_info', { version: '1.0.1' }), 1)
    assert.equal(now.sum('build_info', { version: '1.0.0' }), 0)
    assert.equal(now.sum('recorder_info', { line: 'b', shard: '1' }), 1)
    assert.equal(now.sum('shards'), 2)
    assert.equal(now.sum('journal_limit_bytes'), 512 * 2 ** 20)
    assert.notEqual(now.sum('journal_limit_bytes'), first.sum('journal_limit_bytes'))
  })
})

const delta = (earlier: Reading, later: Reading, metric: string, labels: Labels = {}): number =>
  later.sum(metric, labels) - earlier.sum(metric, labels)

async function startExchange(symbols: readonly SymbolSpec[]): Promise<ExchangeServer> {
  return await startExchangeServer({ port: 0, seed: 5, symbols, rate: RATE, clock: systemClock() })
}

function specOf(symbol: string): SymbolSpec {
  const spec = presetOf(symbol)
  invariant(spec !== null, `the exchange has ${symbol}`)
  return spec
}

function sceneOf(exchange: ExchangeServer, recording: Recording): Scene {
  const read = async (): Promise<Reading> => new Reading(await (await fetch(`${recording.httpUrl}/metrics`)).text())
  return {
    exchange,
    recording,
    read,
    inject: (fault) => {
      const injected = exchange.exchange.faults.inject(fault)
      invariant(typeof injected !== 'string', `the exchange takes ${fault.fault}`)
    },
    until: async (what, condition) => {
      const patience = AbortSignal.timeout(PATIENCE_MS)
      let now = await read()
      await recording.until(async () => {
        now = await read()
        if (patience.aborted) throw new Error(`${what} did not come within ${PATIENCE_MS} ms`)
        return condition(now)
      })
      return now
    },
  }
}

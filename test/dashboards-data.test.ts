import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type ExchangeServer, type FaultRequest, presetOf, startExchangeServer } from '@booktape/exchange'
import { invariant } from '@booktape/market'
import { systemClock } from '@booktape/runtime'
import { Client } from 'pg'
import { MODELS, type Panel, panelsOf, type Target, withMacros, withVariables } from './dashboard-models.ts'
import { hasPrometheus, Prometheus, type Series } from './prometheus.ts'
import { type Recording, startRecording } from './recording.ts'
import { environmentOf } from './recording-drill.ts'

// No Grafana is needed to know that each query of each panel runs and has something to show: a real Prometheus scrapes a running
// recorder, which has seen every kind of fault, and the database is asked with the rights that Grafana has.

const RULES = fileURLToPath(new URL('../deploy/prometheus/booktape.rules.yml', import.meta.url))

const SYMBOLS = ['btcusd', 'ethgusdperp', 'solusd']
const RATE = 20 // busier than the venue, so that seconds hold what would be minutes
/** Far above what it takes on a busy machine. */
const PATIENCE_MS = 90_000
const WEEK_MS = 7 * 86_400_000

/** Nothing from outside brings these about within seconds. They show a 0, and metrics-move.test.ts has the metric move. */
const STAY_AT_ZERO = ['Connections that wait', 'Rows without a partition', 'Lost for good']
const COUNTED_FROM_THE_FIRST = [
  ['Connections of the last 5 minutes, by result', 'booktape_connects_total'],
  ['Resyncs of the last hour, by cause', 'booktape_resyncs_total'],
  ['Quarantined in the last hour, by reason', 'booktape_quarantined_total'],
  ['Audits that differed, last hour', 'booktape_audits_total{result="different"}'],
  ['Conflicts', 'booktape_trade_conflicts_total'],
] as const
/** Columns that only some rows have a value in. */
const OFTEN_EMPTY = ['from_id', 'to_id', 'ended_at', 'symbol']

const panelCount = MODELS.flatMap(({ model }) => panelsOf(model)).length

describe('on a recorder that has seen every kind of fault', {
  skip: hasPrometheus() ? false : 'Prometheus is not installed: apt-get install prometheus',
}, () => {
  let exchange: ExchangeServer
  let recording: Recording | undefined
  let prometheus: Prometheus | undefined
  let reader: Client | undefined
  let fromMs = 0
  const shown = new Set<string>()

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
    reader = new Client({ connectionString: recording.databaseUrl })
    await reader.connect()
    await untilSeen('booktape_rows_written_total{table="trades"} > 0')
    await untilSeen('booktape_trades_read_age_seconds{symbol="btcusd"} > 1') // read once, up to the newest
    await breakMessages()
    await breakConnections(recording)
    await lockTables(recording)
    await offerQuotes(recording)
    await untilSeen('sum(booktape_trade_conflicts_total) > 0')
    await untilSeen('sum(booktape_book_live) == 5')
    await reader.query(`set timezone = 'UTC'`)
    await reader.query('set role booktape_reader')
  })
  after(async () => {
    await reader?.end()
    await prometheus?.stop()
    await recording?.close()
    await exchange.stop()
  })

  async function breakMessages(): Promise<void> {
    inject({ fault: 'drop', feed: 'ws', symbol: 'btcusd', kind: 'depth' })
    inject({ fault: 'malformed', feed: 'v1', symbol: 'ethgusdperp', kind: 'update' })
    inject({ fault: 'duplicate', feed: 'ws', symbol: 'ethgusdperp', kind: 'depth' })
    inject({ fault: 'corrupt', feed: 'ws', symbol: 'ethgusdperp', kind: 'depth', times: 50 })
    await untilSeen('sum(booktape_audits_total{result="different"}) > 0')
    await untilSeen('count(booktape_quarantined_total) > 0 and sum(booktape_resyncs_total) > 0')
  }

  /** And what REST says of trades that are stored is something else. */
  async function breakConnections({ query }: Recording): Promise<void> {
    await query('update booktape.trades set quantity = quantity + 1')
    inject({ fault: 'refuse_rest', times: 2 })
    inject({ fault: 'refuse_upgrade', feed: 'ws', status: 503 })
    inject({ fault: 'close', feed: 'ws', code: 1006 })
    await untilSeen('sum(booktape_trades_gaps_unfilled) > 0')
    await untilSeen('sum(booktape_connects_total{result="refused"}) > 0')
  }

  /** Nothing can be stored for a while, and a connection of the writer is lost. */
  async function lockTables({ query }: Recording): Promise<void> {
    invariant(reader !== undefined, 'the database is connected')
    await reader.query('begin; lock table booktape.book_messages in exclusive mode')
    await untilSeen('booktape_last_commit_age_seconds > 1.5')
    await query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'booktape recorder'`,
    )
    await untilSeen('sum(booktape_write_failures_total) > 0')
    await reader.query('rollback')
    await untilSeen('booktape_last_commit_age_seconds < 1')
  }

  /** As `booktape account` stores them; what a quote of btcusd is worth is told beside trades of the same minute. */
  async function offerQuotes({ query }: Recording): Promise<void> {
    await query(
      `insert into account.instant_quotes (journal_id, position, key_fingerprint, symbol, side, requested_time, requested_time_ns, received_time,
         received_time_ns, quote_id, max_age_ms, pair, price, price_currency, quantity, quantity_currency, fee, fee_currency, deposit_fee,
         deposit_fee_currency, total_spend, total_spend_currency, book_state, premium_bps, premium_with_fee_bps)
       select gen_random_uuid(), i, 'f', 'btcusd', case i % 2 when 0 then 'buy' else 'sell' end, t.event_time, t.event_time_ns, t.event_time,
         t.event_time_ns, i, 60000, 'BTCUSD', t.price, 'USD', 0.01 * i, 'BTC', 1, 'USD', 0, 'USD', 100, 'USD', 'known',
         case i when 1 then null else 50 + i end, case i when 1 then null else 200 + i end
       from (select * from market.trades where symbol = 'btcusd' order by event_time_ns limit 1) t cross join generate_series(1, 20) i`,
    )
  }

  function inject(fault: FaultRequest): void {
    invariant(typeof exchange.exchange.faults.inject(fault) !== 'string', `the exchange takes ${fault.fault}`)
  }

  async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const patience = AbortSignal.timeout(PATIENCE_MS)
    invariant(recording !== undefined, 'the recorder runs')
    await recording.until(async () => {
      if (patience.aborted) assert.fail(`${what}: not within ${PATIENCE_MS} ms`)
      return await isSo()
    })
  }

  async function untilSeen(condition: string): Promise<void> {
    await until(condition, async () => ((await prometheus?.now(condition)) ?? []).length > 0)
  }

  async function rowsOf(sql: string, interval: string, backMs: number): Promise<Record<string, unknown>[]> {
    invariant(reader !== undefined, 'the database is connected')
    const to = new Date()
    const chosen = { from: new Date(fromMs - backMs), to, interval, symbol: 'btcusd', feed: 'ws' }
    return (await reader.query<Record<string, unknown>>(withMacros(sql, chosen))).rows
  }

  test('every rule can be evaluated', async () => {
    const rules = async () => (await prometheus?.rules()) ?? []
    await until('the rules', async () => (await rules()).every(({ health }) => health !== 'unknown'))
    assert.deepEqual(
      (await rules()).filter(({ health }) => health !== 'ok'),
      [],
    )
  })

  for (const { file, model } of MODELS) {
    for (const panel of panelsOf(model)) {
      test(`${file}: "${panel.title}" has data`, async () => {
        const { targets = [] } = panel
        const names = targets.some(({ expr }) => expr !== undefined)
          ? await namesInMetrics(panel, targets)
          : await namesInRows(panel, targets)
        assert.equal(new Set(names).size, names.length, `told apart by their names: ${names.join(', ')}`)
        shown.add(`${file} ${panel.title}`)
      })
    }
    for (const { name, query, datasource } of model.templating.list.filter(({ type }) => type === 'query')) {
      test(`${file}: the variable ${name} has values`, async () => {
        if (datasource?.uid === '${postgres}') {
          const rows = await rowsOf(query, '1s', 0)
          assert.deepEqual(rows.flatMap(Object.values), SYMBOLS)
          return
        }
        const [, of = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(query) ?? assert.fail(query)
        const values = (await prometheus?.now(of))?.map(({ metric }) => metric[label])
        assert.deepEqual(values, [new URL(recording?.httpUrl ?? '').host])
      })
    }
  }

  // increase() would not see the first event of a series that begins with it.
  for (const [title, counter] of COUNTED_FROM_THE_FIRST) {
    test(`"${title}" counts each event, the first too`, async () => {
      const [target] =
        MODELS.flatMap(({ model }) => panelsOf(model)).find((panel) => panel.title === title)?.targets ?? []
      const shows = withVariables(target?.expr ?? assert.fail(title), 'btcusd', 0)
      const [difference] = (await prometheus?.now(`sum(${shows}) - sum(${counter})`)) ?? []
      assert.equal(difference?.value[1], '0')
    })
  }

  test(`all ${panelCount} panels had data`, () => assert.equal(shown.size, panelCount))

  /** Each query has a number, above 0 some time unless it cannot be; and gives each series the labels that name it. */
  async function namesInMetrics({ title }: Panel, targets: readonly Target[]): Promise<string[]> {
    invariant(prometheus !== undefined, 'Prometheus runs')
    const names: string[] = []
    for (const { expr = '', instant = false, legendFormat = '' } of targets) {
      let series: readonly Series[] = []
      await until(`${title}: ${expr}`, async () => {
        const asked = withVariables(expr, 'btcusd', (Date.now() - fromMs) / 1000)
        series = (await prometheus?.range(asked, fromMs / 1000, Date.now() / 1000)) ?? []
        if (instant && (await prometheus?.now(asked))?.length === 0) return false
        return series.some(({ values }) => values.some(([, value]) => isFinite(value, STAY_AT_ZERO.includes(title))))
      })
      for (const { metric } of series)
        names.push(legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? assert.fail(label)))
    }
    return names
  }

  /** Each query has rows, with a value in each column, in the order of time where there is one; and takes a week as well. */
  async function namesInRows({ title, type }: Panel, targets: readonly Target[]): Promise<string[]> {
    const names: string[] = []
    for (const { rawSql = '', format } of targets) {
      let rows: Record<string, unknown>[] = []
      await until(`${title}: ${rawSql}`, async () => {
        rows = await rowsOf(rawSql, '1s', 0)
        return rows.length > 0
      })
      await rowsOf(rawSql, '10m', WEEK_MS)
      const columns = Object.keys(rows[0] ?? {})
      for (const name of columns.filter((column) => !OFTEN_EMPTY.includes(column)))
        assert.ok(
          rows.some((row) => row[name] !== null),
          `${name} is empty in all ${rows.length} rows`,
        )
      const isOverTime = format === 'time_series' || ['timeseries', 'candlestick', 'state-timeline'].includes(type)
      if (isOverTime) {
        const times = rows.map(({ time }) => (time instanceof Date ? time.getTime() : assert.fail('a time')))
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        )
      }
      names.push(...columns.filter((column) => column !== 'time'))
    }
    return names
  }
})

function isFinite(value: string, mayBeZero: boolean): boolean {
  return Number.isFinite(Number(value)) && (mayBeZero || Number(value) > 0)
}

import { RECORDER_METRICS } from '@booktape/recorder'
import { METRIC_PREFIX, RUNTIME_METRICS } from '@booktape/runtime'
import type * as cog from '@grafana/grafana-foundation-sdk/cog'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'

type Key = keyof typeof RECORDER_METRICS | keyof typeof RUNTIME_METRICS

/** Metric names as Prometheus has them, by their names in the code that defines them: one that is renamed there does not compile here. */
export const metric = Object.fromEntries(
  Object.entries({ ...RECORDER_METRICS, ...RUNTIME_METRICS }).map(([key, { name }]) => [key, METRIC_PREFIX + name]),
) as Readonly<Record<Key, string>>

/** Those of the process, as prom-client names them; other programs have them too, so they are asked of recorders alone. */
export const processMetric = {
  startTime: 'process_start_time_seconds',
  cpu: 'process_cpu_seconds_total',
  memory: 'process_resident_memory_bytes',
  heap: 'nodejs_heap_size_used_bytes',
  loopLag: 'nodejs_eventloop_lag_p99_seconds',
} as const

/** Dashboards name no data source: whoever looks chooses one of each kind. */
export const PROMETHEUS = { type: 'prometheus', uid: '${prometheus}' }
export const POSTGRES = { type: 'grafana-postgresql-datasource', uid: '${postgres}' }

/** What Grafana puts into SQL: the range of the dashboard, a step that suits its width, and what was chosen, quoted. */
export const FROM = '$__timeFrom()::timestamptz'
export const UNTIL = 'least($__timeTo()::timestamptz, now())'
export const STEP = "'$__interval'::interval"
export const SYMBOL = '${symbol:sqlstring}'
export const FEED = '${feed:sqlstring}'

/** Values over time; `legend` names a series by its labels, such as `{{feed}}`. */
export function over(expr: string, legend: string): cog.Builder<cog.Dataquery> {
  return new DataqueryBuilder().expr(squeezed(expr)).legendFormat(legend).range().datasource(PROMETHEUS)
}

/** Values now. */
export function now(expr: string, legend = ''): cog.Builder<cog.Dataquery> {
  return new DataqueryBuilder()
    .expr(squeezed(expr))
    .legendFormat(legend)
    .instant()
    .format(PromQueryFormat.TimeSeries)
    .datasource(PROMETHEUS)
}

/** The value below which the given share of a histogram's observations are. `selector` such as `{instance="a"}`. */
export function quantile(share: number, histogram: string, by: readonly string[] = [], selector = ''): string {
  const labels = ['le', ...by].join(', ')
  return `histogram_quantile(${share}, sum by (${labels}) (rate(${histogram}_bucket${selector}[$__rate_interval])))`
}

/**
 * How many events a counter had in a window, by one label or in all. Most of these series begin with the first event, in which
 * increase() sees no increase; so, of a series that is younger than the window or began anew with its process, all of it
 * (as deploy/prometheus does). Where nothing happened it is 0 and not "no data", under the name "none".
 */
export function added(counter: string, window: string, by?: string): string {
  const events = `(${counter} - ${counter} offset ${window}) >= 0 or ${counter}`
  return by === undefined ? `sum(${events}) or vector(0)` : orNone(`sum by (${by}) (${events})`, by)
}

export function orNone(expr: string, label: string): string {
  return `${expr} or on () label_replace(vector(0), "${label}", "none", "", "")`
}

/** Of the database: `time_series` needs a column `time`, and names series by its other columns or by `metric`. */
export function sql(format: 'time_series' | 'table', text: string): cog.Builder<cog.Dataquery> {
  const query = {
    datasource: POSTGRES,
    editorMode: 'code',
    format,
    rawQuery: true,
    rawSql: squeezed(text),
    _implementsDataqueryVariant: () => undefined, // what the SDK knows queries by; functions are no JSON
  }
  return { build: () => query }
}

const squeezed = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

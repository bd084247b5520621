import { RECORDER_METRICS } from '@booktape/recorder'
import { METRIC_PREFIX } from '@booktape/runtime'
import type * as cog from '@grafana/grafana-foundation-sdk/cog'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'

/** Metric names as Prometheus has them, by their names in the code that defines them. */
export const metric = Object.fromEntries(
  Object.entries(RECORDER_METRICS).map(([key, { name }]) => [key, METRIC_PREFIX + name]),
) as Readonly<Record<keyof typeof RECORDER_METRICS, string>>

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

/** The share of observations of a histogram that are below the value, as the value: `quantile(0.99, …)`. */
export function quantile(share: number, histogram: string, by: readonly string[] = []): string {
  const labels = ['le', ...by].join(', ')
  return `histogram_quantile(${share}, sum by (${labels}) (rate(${histogram}_bucket[$__rate_interval])))`
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

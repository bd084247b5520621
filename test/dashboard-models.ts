import { DASHBOARDS } from '@booktape/dashboards'

/** What Grafana reads, as far as tests look at it. */
export type Target = Readonly<{
  refId: string
  expr?: string
  instant?: boolean
  legendFormat?: string
  rawSql?: string
  format: 'time_series' | 'table'
  datasource: Readonly<{ uid: string }>
}>
export type Panel = Readonly<{
  id: number
  type: string
  title: string
  description?: string
  gridPos: Readonly<{ x: number; y: number; w: number; h: number }>
  targets?: readonly Target[]
}>
export type Variable = Readonly<{ name: string; type: string; query: string; datasource?: Readonly<{ uid: string }> }>
export type Model = Readonly<{
  uid: string
  title: string
  panels: readonly Panel[]
  templating: Readonly<{ list: readonly Variable[] }>
}>

export const MODELS = Object.entries(DASHBOARDS).map(([file, text]) => ({ file, model: JSON.parse(text) as Model }))

/** All but the headings of rows. */
export const panelsOf = ({ panels }: Model): readonly Panel[] => panels.filter(({ type }) => type !== 'row')

/** In PromQL `$instance` stands for all recorders and `$symbol` for one. `rangeS`: of the dashboard, in seconds. */
export function withVariables(expr: string, symbol: string, rangeS: number): string {
  return filled(expr, { $__rate_interval: '5s', $__range: `${Math.ceil(rangeS)}s`, $instance: '.*', $symbol: symbol })
}

/** Grafana's macros become texts in UTC, and its formats quote: so does this, for texts without quotes. */
export function withMacros(
  sql: string,
  chosen: Readonly<{ from: Date; to: Date; interval: string; symbol: string; feed: string }>,
): string {
  return filled(sql, {
    '$__timeFrom()': `'${chosen.from.toISOString()}'`,
    '$__timeTo()': `'${chosen.to.toISOString()}'`,
    $__interval: chosen.interval,
    '${symbol:sqlstring}': `'${chosen.symbol}'`,
    '${feed:sqlstring}': `'${chosen.feed}'`,
  })
}

function filled(text: string, values: Readonly<Record<string, string>>): string {
  const whole = Object.entries(values).reduce((left, [name, value]) => left.replaceAll(name, value), text)
  if (whole.includes('$')) throw new Error(`a variable that the tests do not know: ${whole}`)
  return whole
}

import * as barGauge from '@grafana/grafana-foundation-sdk/bargauge'
import * as candlestick from '@grafana/grafana-foundation-sdk/candlestick'
import type * as cog from '@grafana/grafana-foundation-sdk/cog'
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  MappingType,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard'
import * as stat from '@grafana/grafana-foundation-sdk/stat'
import * as stateTimeline from '@grafana/grafana-foundation-sdk/statetimeline'
import * as table from '@grafana/grafana-foundation-sdk/table'
import * as timeSeries from '@grafana/grafana-foundation-sdk/timeseries'
import { BytesIEC, CountsPerSecond, NoUnit, PercentUnit, Seconds, Short } from '@grafana/grafana-foundation-sdk/units'
import { POSTGRES, PROMETHEUS } from './queries.ts'

export const UNITS = {
  count: NoUnit,
  thousands: Short, // 1.2 K
  perSecond: CountsPerSecond,
  share: PercentUnit, // of 1
  times: 'suffix:\u00d7',
  seconds: Seconds,
  bytes: BytesIEC,
} as const

/** What every panel says of itself: `says` is for somebody who sees it for the first time, and tells good from bad. */
export type Panel = Readonly<{
  title: string
  says: string
  /** Those that fire on what is shown here: each has a paragraph in docs/operating.md. */
  alerts?: readonly string[]
  /** Stands where nothing came back, and nothing is what should. */
  none?: string
  unit?: keyof typeof UNITS
  decimals?: number
  /** The least `$__interval`, such as 1m: steps that are finer hold nothing. */
  interval?: string
  width: number // of 24
  height?: number
  queries: readonly cog.Builder<cog.Dataquery>[]
}>

const GREEN = 'green'
const YELLOW = 'yellow'
const RED = 'red'
const GREY = 'text'

/** A number, green below `warnAt`, red from `failAt` on; the other way round where the limits fall. */
export function number(panel: Panel, warnAt: number, failAt: number): cog.Builder<AnyPanel> {
  return begun(new stat.PanelBuilder(), panel, 4)
    .graphMode(BigValueGraphMode.None)
    .reduceOptions(newest())
    .colorMode(BigValueColorMode.Background)
    .thresholds(thresholds(warnAt, failAt))
}

/** A number that is neither good nor bad. */
export function plainNumber(panel: Panel): cog.Builder<AnyPanel> {
  return begun(new stat.PanelBuilder(), panel, 4)
    .graphMode(BigValueGraphMode.None)
    .reduceOptions(newest())
    .colorMode(BigValueColorMode.None)
}

/** `limit`: where the alert begins, as a dashed line. */
export type LineStyle = Readonly<{ stacked?: boolean; bars?: boolean; min?: number; limit?: number }>

export function lines(panel: Panel, style: LineStyle = {}): cog.Builder<AnyPanel> {
  const { stacked = false, bars: asBars = false, min, limit } = style
  const builder = begun(new timeSeries.PanelBuilder(), panel, 8)
    .drawStyle(asBars ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .fillOpacity(asBars || stacked ? 40 : 8)
    .lineWidth(asBars ? 0 : 1)
    .showPoints(VisibilityMode.Never)
    .stacking(new StackingConfigBuilder().mode(stacked ? StackingMode.Normal : StackingMode.None))
    .legend(legend())
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
  if (min !== undefined) builder.min(min)
  if (limit !== undefined) {
    builder
      .thresholds(
        new ThresholdsConfigBuilder()
          .mode(ThresholdsMode.Absolute)
          .steps([step(null, 'transparent'), step(limit, RED)]),
      )
      .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed))
  }
  return builder
}

/** What was the case from when to when. */
export function states(panel: Panel, mapping: ValueMapping): cog.Builder<AnyPanel> {
  return begun(new stateTimeline.PanelBuilder(), panel, 8)
    .mappings([mapping])
    .showValue(VisibilityMode.Never)
    .mergeValues(true)
    .fillOpacity(80)
    .lineWidth(0)
    .legend(legend())
}

export const LIVE_OR_NOT: ValueMapping = {
  type: MappingType.ValueToText,
  options: { '1': { text: 'live', color: GREEN }, '0': { text: 'not live', color: RED } },
}
export const FIRING: ValueMapping = {
  type: MappingType.ValueToText,
  options: { '1': { text: 'firing', color: RED } },
}
export const COVERAGE_STATES: ValueMapping = {
  type: MappingType.ValueToText,
  options: {
    live: { text: 'live', color: GREEN },
    gap: { text: 'gap', color: RED },
    off: { text: 'off', color: GREY },
  },
}

/** A table; whoever clicks a symbol sees it on its own dashboard, in the same range. */
export function rows(panel: Panel): cog.Builder<AnyPanel> {
  return begun(new table.PanelBuilder(), panel, 8).overrideByName('symbol', [
    { id: 'links', value: [{ title: 'Show this symbol', url: SYMBOL_DASHBOARD }] },
  ])
}

const SYMBOL_DASHBOARD =
  '/d/booktape-symbol?${prometheus:queryparam}&${postgres:queryparam}&var-symbol=${__value.text}&${__url_time_range}'

export function candles(panel: Panel): cog.Builder<AnyPanel> {
  return begun(new candlestick.PanelBuilder(), panel, 9).legend(legend())
}

/** One bar each, green below `warnAt`, red from `failAt` on; `full` is the length of the longest. */
export function bars(panel: Panel, warnAt: number, failAt: number, full?: number): cog.Builder<AnyPanel> {
  const builder = begun(new barGauge.PanelBuilder(), panel, 8)
    .orientation(VizOrientation.Horizontal)
    .reduceOptions(sourceOf(panel.queries) === POSTGRES ? newest().values(true).limit(MAX_BARS) : newest())
    .min(0)
    .thresholds(thresholds(warnAt, failAt))
  if (full !== undefined) builder.max(full)
  return builder
}

/** More bars than this are thinner than their names. */
export const MAX_BARS = 40

const newest = (): ReduceDataOptionsBuilder => new ReduceDataOptionsBuilder().calcs(['lastNotNull'])

export type AnyPanel = ReturnType<timeSeries.PanelBuilder['build']>

type Begun = {
  title(text: string): Begun
  description(text: string): Begun
  span(width: number): Begun
  height(height: number): Begun
  unit(unit: string): Begun
  decimals(decimals: number): Begun
  noValue(text: string): Begun
  interval(interval: string): Begun
  datasource(source: Readonly<{ type: string; uid: string }>): Begun
  withTarget(query: cog.Builder<cog.Dataquery>): Begun
}

/** What all kinds of panels share. */
function begun<P extends Begun>(builder: P, panel: Panel, usualHeight: number): P {
  const { title, says, alerts = [], none, unit, decimals, interval, width, height, queries } = panel
  const told = alerts.length === 0 ? '' : `\n\nAlerts, explained in docs/operating.md: ${alerts.join(', ')}.`
  builder
    .title(title)
    .description(says + told)
    .span(width)
    .height(height ?? usualHeight)
    .datasource(sourceOf(queries))
  if (unit !== undefined) builder.unit(UNITS[unit])
  if (decimals !== undefined) builder.decimals(decimals)
  if (none !== undefined) builder.noValue(none)
  if (interval !== undefined) builder.interval(interval)
  for (const query of queries) builder.withTarget(query)
  return builder
}

function sourceOf([first]: readonly cog.Builder<cog.Dataquery>[]) {
  return first !== undefined && 'rawSql' in first.build() ? POSTGRES : PROMETHEUS
}

/** Falling limits mean that more is better. */
function thresholds(warnAt: number, failAt: number): ThresholdsConfigBuilder {
  const ends: Threshold[] =
    warnAt <= failAt
      ? [step(null, GREEN), step(warnAt, YELLOW), step(failAt, RED)]
      : [step(null, RED), step(failAt, YELLOW), step(warnAt, GREEN)]
  const steps = warnAt === failAt ? ends.filter(({ color }) => color !== YELLOW) : ends
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps)
}

const step = (value: number | null, color: string): Threshold => ({ value, color })

function legend(): VizLegendOptionsBuilder {
  return new VizLegendOptionsBuilder()
    .displayMode(LegendDisplayMode.List)
    .placement(LegendPlacement.Bottom)
    .showLegend(true)
}

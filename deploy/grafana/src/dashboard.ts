import type * as cog from '@grafana/grafana-foundation-sdk/cog'
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  RowBuilder,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { AnyPanel } from './panels.ts'
import { POSTGRES, PROMETHEUS } from './queries.ts'

const TAG = 'booktape'

export type Row = Readonly<{ title: string; panels: readonly cog.Builder<AnyPanel>[] }>

export type Plan = Readonly<{
  name: string // of its file; its uid begins with the tag
  title: string
  says: string
  from: string // such as now-6h
  refresh: string
  variables?: readonly cog.Builder<VariableModel>[]
  rows: readonly Row[]
}>

export function dashboard({ name, title, says, from, refresh, variables = [], rows }: Plan): Dashboard {
  const builder = new DashboardBuilder(`booktape: ${title}`)
    .uid(`${TAG}-${name}`)
    .description(says)
    .tags([TAG])
    .readonly() // it is generated: changes belong into its source
    .time({ from, to: 'now' })
    .timezone('utc')
    .refresh(refresh)
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder('booktape')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(false)
        .keepTime(true)
        .includeVars(true),
    )
    .withVariable(new DatasourceVariableBuilder('prometheus').label('Prometheus').type(PROMETHEUS.type))
    .withVariable(new DatasourceVariableBuilder('postgres').label('Database').type(POSTGRES.type))
  for (const variable of variables) builder.withVariable(variable)
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title))
    for (const panel of row.panels) builder.withPanel(panel)
  }
  return finished(builder.build())
}

/**
 * What the SDK leaves out: numbers by which panels, and letters by which the queries of a panel, are told apart. And what it puts in
 * unasked: links to the other dashboards would be hidden in a menu.
 */
function finished(model: Dashboard): Dashboard {
  for (const link of model.links ?? []) delete link.placement
  for (const [i, panel] of (model.panels ?? []).entries()) {
    panel.id = i + 1
    if ('targets' in panel)
      for (const [j, target] of (panel.targets ?? []).entries()) Object.assign(target, { refId: LETTERS[j] })
  }
  return model
}

const LETTERS = 'ABCDEFGH'

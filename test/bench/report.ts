import { type AreaResult, figureOf, type Metric, median, OURS, shown } from './measure.ts'

/** What is printed of an area: a line a contestant, then the goals. */
export function areaText({ area, workload, metrics, goals }: AreaResult): string {
  const lines = [`${area}: ${workload}`]
  for (const metric of metrics) lines.push('', ...metricLines(metric))
  if (goals.length > 0) lines.push('')
  for (const { text, reached, met } of goals) lines.push(`  goal  ${text}: ${reached}  ${met ? 'met' : 'NOT MET'}`)
  return `${lines.join('\n')}\n`
}

/** What is said of an area where only correctness counts. */
export function smokeText({ area, metrics }: AreaResult): string {
  const checked = metrics.flatMap(({ measured }) => measured.filter(({ correct }) => correct !== null))
  const wrong = checked.filter(({ correct }) => correct === false).length
  return `${area}: ${checked.length - wrong} of ${checked.length} results right`
}

function metricLines(metric: Metric): string[] {
  const rows = metric.measured.map(({ contestant, samples, correct, note }) => [
    contestant,
    shown(median(samples)),
    `${shown(Math.min(...samples))} to ${shown(Math.max(...samples))}`,
    ratioText(metric, contestant),
    correctText(correct),
    note ?? '',
  ])
  const header = [metric.name, metric.unit, 'least to most', 'to booktape', 'right', '']
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i]?.length ?? 0)))
  return [header, ...rows].map((row) =>
    `  ${row.map((cell, i) => (i === 1 || i === 3 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ')}`.trimEnd(),
  )
}

/** The contestant's figure over ours: above 1 is slower, or larger, than booktape where less is better. */
export function ratioText(metric: Metric, contestant: string): string {
  if (contestant === OURS) return '1x'
  const ratio = figureOf(metric, contestant) / figureOf(metric, OURS)
  return Number.isFinite(ratio) ? `${shown(ratio)}x` : ''
}

export function correctText(correct: boolean | null): string {
  return correct === null ? '' : correct ? 'yes' : 'NO'
}

/** A contestant that is wrong has no figure worth reading: the run fails. */
export function wrongOnes(results: readonly AreaResult[]): string[] {
  return results.flatMap(({ area, metrics }) =>
    metrics.flatMap(({ name, measured }) =>
      measured.filter(({ correct }) => correct === false).map(({ contestant }) => `${area}, ${name}: ${contestant}`),
    ),
  )
}

import { type AreaResult, type Metric, median, shown } from './measure.ts'
import { correctText, ratioText } from './report.ts'

/** Between these two, docs/benchmarks.md is written by `--page`; the rest of it by people. */
export const RESULTS_BEGIN = '<!-- results: npm run bench -- --page docs/benchmarks.md -->'
export const RESULTS_END = '<!-- end of results -->'

export type Taken = AreaResult & Readonly<{ loadBefore: number; loadAfter: number }>

/** The page with new results; areas that were not run keep their old ones. */
export function pageWith(
  page: string,
  machine: Readonly<Record<string, string | number>>,
  results: readonly Taken[],
): string {
  const begin = page.indexOf(RESULTS_BEGIN)
  const end = page.indexOf(RESULTS_END)
  if (begin === -1 || end < begin) throw new Error('the page has no place for results')
  const old = new Map(
    page
      .slice(begin + RESULTS_BEGIN.length, end)
      .split(/^(?=## )/m)
      .filter((section) => section.startsWith('## '))
      .map((section) => [/^## (\S+)/.exec(section)?.[1] ?? '', section.trim()]),
  )
  for (const result of results) old.set(result.area, areaSection(result, machine))
  return `${page.slice(0, begin)}${RESULTS_BEGIN}\n\n${[...old.values()].join('\n\n')}\n\n${page.slice(end)}`
}

function areaSection(result: Taken, machine: Readonly<Record<string, string | number>>): string {
  const { area, workload, metrics, goals, loadBefore, loadAfter } = result
  const taken = `Taken ${String(machine['date']).slice(0, 10)} at commit ${machine['commit']}, ${machine['processor']}, ${machine['cores']} cores, Node ${machine['node']}; load average ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after.`
  const lines = [`## ${area}`, '', `${workload}. ${taken}`]
  for (const metric of metrics) lines.push('', ...metricTable(metric))
  if (goals.length > 0) lines.push('', '| goal | reached | |', '| --- | --- | --- |')
  for (const { text, reached, met } of goals) lines.push(`| ${text} | ${reached} | ${met ? 'met' : '**not met**'} |`)
  return lines.join('\n')
}

function metricTable(metric: Metric): string[] {
  return [
    `| ${metric.name} | ${metric.unit} | least to most | to booktape | right | |`,
    '| --- | --- | --- | --- | --- | --- |',
    ...metric.measured.map(({ contestant, samples, correct, note }) => {
      const range = `${shown(Math.min(...samples))} to ${shown(Math.max(...samples))}`
      return `| ${contestant} | ${shown(median(samples))} | ${range} | ${ratioText(metric, contestant)} | ${correctText(correct)} | ${note ?? ''} |`
    }),
  ]
}

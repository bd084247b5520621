import type { Verdict } from './oracle.ts'
import type { World } from './world.ts'

/** The run as a table: what was done, how fast everything was live again, and what must be zero. */
export function report(world: World, verdict: Verdict, skipped: readonly string[]): string {
  const names = [...world.faults.keys()]
  const rows = names.map((name) => {
    const own = world.recoveries.filter(({ scenario }) => scenario === name)
    return [
      name,
      String(world.faults.get(name) ?? 0),
      ...times(own.map(({ wsMs }) => wsMs)),
      ...times(own.map(({ allMs }) => allMs)),
    ]
  })
  const every = world.recoveries
  rows.push([
    'everything',
    String([...world.faults.values()].reduce((sum, count) => sum + count, 0)),
    ...times(every.map(({ wsMs }) => wsMs)),
    ...times(every.map(({ allMs }) => allMs)),
  ])
  const head = ['scenario', 'faults', 'ws p50', 'p99', 'max', 'all p50', 'p99', 'max']
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')
  const recorders = [...world.recorders.values(), ...world.retired]
  const peak = Math.max(...recorders.map(({ peakMemoryBytes }) => peakMemoryBytes))
  const starts = recorders.reduce((sum, recorder) => sum + recorder.starts, 0)
  return [
    line(head),
    ...rows.map(line),
    '',
    'Recovery in seconds from the last fault on: of the new API, and of everything (v1 connects to a symbol once a minute).',
    ...skipped.map((name) => `Not possible on this machine: ${name}`),
    `${starts} starts of a recorder; at most ${Math.ceil(peak / 2 ** 20)} MiB resident`,
    `${verdict.epochs} epochs and ${verdict.gaps} gaps, ${verdict.changes} v1 changes, ${verdict.trades} trades and ${verdict.books} books in the middle of epochs held against the truth`,
    ...warningsOf(world),
    '',
    world.violations.length === 0
      ? '0 lost, 0 duplicated, 0 undisclosed, 0 books different, 0 uncaught, 0 secrets told'
      : `${world.violations.length} violations:\n\n${world.violations.slice(0, MAX_STORIES).join('\n\n')}`,
  ].join('\n')
}

/** The first ones tell the story; thousands of the same do not tell it better. */
const MAX_STORIES = 40

function times(ms: readonly number[]): [p50: string, p99: string, max: string] {
  if (ms.length === 0) return ['', '', '']
  const sorted = [...ms].sort((a, b) => a - b)
  const at = (share: number): string => ((sorted[Math.ceil(sorted.length * share) - 1] ?? 0) / 1_000).toFixed(1)
  return [at(0.5), at(0.99), at(1)]
}

function warningsOf(world: World): string[] {
  const counts = new Map<string, number>()
  for (const { log } of [...world.recorders.values(), ...world.retired]) {
    for (const [message, count] of log.warnings) counts.set(message, (counts.get(message) ?? 0) + count)
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([message, count]) => `${count} times logged: ${message}`)
}

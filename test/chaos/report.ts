import type { Verdict } from './oracle.ts'
import type { Scenario } from './scenario.ts'
import type { Recovery, World } from './world.ts'

/** The run as a table: what was done of what is asked, how fast everything was live again, and what must be zero. */
export function report(
  world: World,
  scenarios: readonly Scenario[],
  verdict: Verdict,
  skipped: readonly string[],
): string {
  const rows = scenarios
    .filter(({ name }) => !skipped.includes(name))
    .map(({ name, asked }) => {
      const own = world.recoveries.filter(({ scenario }) => scenario === name)
      return [name, String(world.faults.get(name) ?? 0), String(asked), ...recoveryTimes(own)]
    })
  const total = [...world.faults.values()].reduce((sum, count) => sum + count, 0)
  const asked = scenarios.reduce((sum, scenario) => sum + scenario.asked, 0)
  rows.push(['everything', String(total), String(asked), ...recoveryTimes(world.recoveries)])
  const titles = (what: string): string[] => [`${what} p50`, 'p99', 'max']
  const head = ['scenario', 'faults', 'asked', ...titles('ws'), ...titles('stored'), ...titles('v1')]
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
    'Asked: of 20 minutes. Recovery in seconds from the last fault on: books of the new API live; their rows stored and the backlog gone;',
    'books of v1 live, where they were waited for (v1 connects to a symbol once a minute).',
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

function recoveryTimes(recoveries: readonly Recovery[]): string[] {
  const v1 = recoveries.flatMap(({ v1Ms }) => (v1Ms === null ? [] : [v1Ms]))
  return [
    ...times(recoveries.map(({ wsMs }) => wsMs)),
    ...times(recoveries.map(({ storedMs }) => storedMs)),
    ...times(v1),
  ]
}

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

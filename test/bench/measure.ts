import { loadavg } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { BenchServer } from './server.ts'

/** What an area is told. */
export type BenchOptions = Readonly<{
  isSmoke: boolean // tiny sizes: is everything right, never how fast
  rounds: number
  seed: number
  directory: string // of this run; removed after it
  server: () => Promise<BenchServer> // started when it is first asked for
  profileDirectory: string | null // where the recorder's CPU profiles go
}>

/** One contestant's figures for one metric, a round each. */
export type Measured = Readonly<{
  contestant: string
  samples: readonly number[]
  correct: boolean | null // null: nothing to be right or wrong about, as with a floor
  note?: string
}>

export type Metric = Readonly<{
  name: string
  unit: string
  better: 'less' | 'more'
  measured: readonly Measured[]
}>

export type Goal = Readonly<{ text: string; reached: string; met: boolean }>

export type AreaResult = Readonly<{
  area: string
  workload: string
  metrics: readonly Metric[]
  goals: readonly Goal[]
}>

export type Area = Readonly<{ name: string; run(options: BenchOptions): Promise<AreaResult> }>

/** `ours` is the name by which every ratio is made. */
export const OURS = 'booktape'

/**
 * One sample of each contestant a round, each round in another order, so that a slow minute of the machine hits all alike. `warmUps`
 * rounds before them are thrown away: code is compiled and memory is taken in them.
 */
export async function roundRobin<C>(
  contestants: readonly C[],
  rounds: number,
  sample: (contestant: C, round: number) => Promise<number> | number,
  warmUps = 1,
): Promise<Map<C, number[]>> {
  const samples = new Map<C, number[]>(contestants.map((contestant) => [contestant, []]))
  for (let round = 1 - warmUps; round <= rounds; round++) {
    for (let i = 0; i < contestants.length; i++) {
      const contestant = contestants[(i + round + warmUps) % contestants.length] as C
      const figure = await sample(contestant, round)
      if (round > 0) samples.get(contestant)?.push(figure)
    }
  }
  return samples
}

/**
 * Nanoseconds of processor time that `work` took, the collector's and compiler's threads included: what it costs a core, whatever
 * else the machine does meanwhile.
 */
export function processorNs(work: () => void): number {
  const start = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(start)
  return (user + system) * 1e3
}

/** Milliseconds that `work` took. */
export async function milliseconds(work: () => Promise<void>): Promise<number> {
  const start = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - start) / 1e6
}

export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** The median of a contestant; NaN where it did not take part. */
export function figureOf(metric: Metric, contestant: string): number {
  return median(metric.measured.find((measured) => measured.contestant === contestant)?.samples ?? [])
}

/** How many times better booktape is than a contestant. */
export function advantage(metric: Metric, contestant: string): number {
  const ours = figureOf(metric, OURS)
  const theirs = figureOf(metric, contestant)
  return metric.better === 'less' ? theirs / ours : ours / theirs
}

export function fasterThan(metric: Metric, contestant: string, times: number): Goal {
  const reached = advantage(metric, contestant)
  return {
    text: `${metric.name}: at least ${times}x better than ${contestant}`,
    reached: `${reached.toFixed(2)}x`,
    met: reached >= times,
  }
}

export function atMost(name: string, figure: number, limit: number, unit: string): Goal {
  return { text: `${name}: at most ${limit} ${unit}`, reached: `${shown(figure)} ${unit}`, met: figure <= limit }
}

export function atLeast(name: string, figure: number, limit: number, unit: string): Goal {
  return {
    text: `${name}: at least ${limit.toLocaleString('en-US')} ${unit}`,
    reached: `${shown(figure)} ${unit}`,
    met: figure >= limit,
  }
}

/** Three digits that count; thousands in groups. */
export function shown(figure: number): string {
  if (!Number.isFinite(figure)) return String(figure)
  if (Math.abs(figure) >= 100) return Math.round(figure).toLocaleString('en-US')
  return String(Number(figure.toPrecision(3)))
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes that stay when everything unreachable is gone. */
export function heldBytes(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external // arrayBuffers are a part of external
}

export const loadAverage = (): number => loadavg()[0] ?? 0

import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type { Counter, Gauge, Histogram, Registry }

/** Every metric of ours is named `booktape_…`; the default process metrics keep the names their dashboards expect. */
export const METRIC_PREFIX = 'booktape_'

/** What every process of ours tells beside the default process metrics, without the prefix. */
export const RUNTIME_METRICS = {
  build: { name: 'build_info', help: 'Always 1; the label carries the version.' },
  memoryLimit: {
    name: 'memory_limit_bytes',
    help: 'What this process may hold in memory: its control group, or the machine.',
  },
  heapLimit: { name: 'heap_limit_bytes', help: 'What the JavaScript heap may hold.' },
} as const

/** Makes metrics in one registry. Label names are checked by type; label values must come from closed sets. */
export type Metrics = Readonly<{
  registry: Registry
  counter<const L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>
  gauge<const L extends string = never>(name: string, help: string, labels?: readonly L[]): Gauge<L>
  histogram<const L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly L[],
  ): Histogram<L>
}>

/** A registry of its own (none is global), with `booktape_build_info{version}` and the default process metrics. */
export function createMetrics(options: Readonly<{ version: string }>): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]

  const metrics: Metrics = {
    registry,
    counter: (name, help, labels = []) =>
      new Counter({ name: METRIC_PREFIX + name, help, labelNames: [...labels], registers }),
    gauge: (name, help, labels = []) =>
      new Gauge({ name: METRIC_PREFIX + name, help, labelNames: [...labels], registers }),
    histogram: (name, help, buckets, labels = []) =>
      new Histogram({ name: METRIC_PREFIX + name, help, buckets: [...buckets], labelNames: [...labels], registers }),
  }
  const { build, memoryLimit, heapLimit } = RUNTIME_METRICS
  metrics.gauge(build.name, build.help, ['version']).set({ version: options.version }, 1)
  // Beside the process metrics of the same quantities: near either limit the process is about to be ended.
  metrics.gauge(memoryLimit.name, memoryLimit.help).set(Math.min(process.constrainedMemory() || totalmem(), totalmem())) // 0 where that is not known
  metrics.gauge(heapLimit.name, heapLimit.help).set(getHeapStatistics().heap_size_limit)
  return metrics
}

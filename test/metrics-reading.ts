import { METRIC_PREFIX } from '@booktape/runtime'

export type Labels = Readonly<Record<string, string>>
type Sample = Readonly<{ name: string; labels: Labels; value: number }>

/** What `/metrics` said at one look. */
export class Reading {
  readonly #samples: readonly Sample[]

  constructor(text: string) {
    this.#samples = text.split('\n').flatMap(readSample)
  }

  /** The sum over all series of a metric that have these labels; 0 where there is none. */
  sum(metric: string, labels: Labels = {}): number {
    return this.#find(metric, labels).reduce((sum, { value }) => sum + value, 0)
  }

  has(metric: string, labels: Labels = {}): boolean {
    return this.#find(metric, labels).length > 0
  }

  /** How many observations of a histogram were above one of its bounds. */
  above(metric: string, bound: number, labels: Labels = {}): number {
    return this.sum(`${metric}_count`, labels) - this.sum(`${metric}_bucket`, { ...labels, le: String(bound) })
  }

  #find(metric: string, labels: Labels): readonly Sample[] {
    const name = METRIC_PREFIX + metric
    const wanted = Object.entries(labels)
    return this.#samples.filter(
      (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    )
  }
}

function readSample(line: string): Sample[] {
  const [, name, labels = '', value] = /^([a-z]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (name === undefined || value === undefined) return []
  const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text])
  return [{ name, labels: Object.fromEntries(pairs) as Labels, value: Number(value) }]
}

/**
 * Counts that go into their metric when somebody asks for it: a counter of prom-client finds its series by spelling out all labels,
 * which for every message costs more than the message's book.
 */
export class Tally<L extends Readonly<Record<string, string>>> {
  readonly #inc: (labels: L, by: number) => void
  readonly #counts = new Map<string, { readonly labels: L; by: number }>()

  /** `inc` counts into the metric. */
  constructor(inc: (labels: L, by: number) => void) {
    this.#inc = inc
  }

  /** `key`: the labels in short, different for different labels. */
  add(key: string, by: number, labels: () => L): void {
    const count = this.#counts.get(key)
    if (count === undefined) this.#counts.set(key, { labels: labels(), by })
    else count.by += by
  }

  flush(): void {
    for (const count of this.#counts.values()) {
      if (count.by > 0) this.#inc(count.labels, count.by)
      count.by = 0
    }
  }
}

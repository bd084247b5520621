/** How far a command has come. `done` and `total` of anything that grows evenly, such as nanoseconds of a span; `count` what is told. */
export type Reached = Readonly<{ done: bigint; total: bigint; count: number }>

export type ProgressOptions = Readonly<{
  output: Readonly<{ write(text: string): unknown; isTTY?: boolean; columns?: number }> // standard error
  monoNs: () => bigint
  unit: string // of `count`, such as `changes`
}>

/** Often enough to be seen moving. */
export const REDRAW_NS = 200_000_000n
/** Where there is no terminal a line now and then shows a log's reader that it goes on. */
export const LINE_NS = 10_000_000_000n

const BAR_WIDTH = 24
const PER_MILLE = 1000n
const NS_PER_SECOND = 1_000_000_000n

/**
 * A progress bar on a terminal, a plain line each ten seconds elsewhere; nothing for what takes less.
 *
 *   [############            ]  50 %  btcusd 2026-03-01  1,200,000 changes, 400,000/s, 3 s left
 */
export class Progress {
  readonly #options: ProgressOptions
  readonly #startNs: bigint
  #shownNs: bigint
  #isDrawn = false

  constructor(options: ProgressOptions) {
    this.#options = options
    this.#startNs = options.monoNs()
    this.#shownNs = this.#startNs
  }

  /** Cheap enough to be called for every page. `what` names the part that is being done. */
  show(what: string, reached: Reached): void {
    const { output, monoNs } = this.#options
    const nowNs = monoNs()
    const isTerminal = output.isTTY === true
    if (nowNs - this.#shownNs < (isTerminal ? REDRAW_NS : LINE_NS)) return
    this.#shownNs = nowNs
    const line = this.#line(what, reached, nowNs - this.#startNs)
    if (isTerminal) output.write(`\r\u001b[K${line.slice(0, Math.max(1, (output.columns ?? 80) - 1))}`)
    else output.write(`${line}\n`)
    this.#isDrawn = isTerminal
  }

  /** A sentence of its own, above the bar. */
  say(sentence: string): void {
    this.end()
    this.#options.output.write(`${sentence}\n`)
  }

  /** Takes the bar away: what is written next begins on an empty line. */
  end(): void {
    if (this.#isDrawn) this.#options.output.write('\r\u001b[K')
    this.#isDrawn = false
  }

  #line(what: string, { done, total, count }: Reached, elapsedNs: bigint): string {
    const perMille = total <= 0n || done >= total ? PER_MILLE : done < 0n ? 0n : (done * PER_MILLE) / total
    const filled = '#'.repeat(Math.floor((BAR_WIDTH * Number(perMille)) / 1000))
    const seconds = Number(elapsedNs / 1_000_000n) / 1000
    const rate = seconds > 0 ? Math.round(count / seconds) : 0
    const left = perMille === 0n ? '' : `, ${duration((elapsedNs * (PER_MILLE - perMille)) / perMille)} left`
    const percent = `${perMille / 10n}`.padStart(3)
    const numbers = `${grouped(count)} ${this.#options.unit}, ${grouped(rate)}/s${left}`
    return `[${filled.padEnd(BAR_WIDTH)}] ${percent} %  ${what}  ${numbers}`
  }
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
function duration(ns: bigint): string {
  const seconds = ns / NS_PER_SECOND
  if (seconds < 60n) return `${seconds} s`
  if (seconds < 3600n) return `${seconds / 60n} min ${seconds % 60n} s`
  return `${seconds / 3600n} h ${(seconds % 3600n) / 60n} min`
}

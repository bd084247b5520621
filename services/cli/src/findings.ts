import type { Finding } from '@booktape/verify'
import type { Progress } from './progress.ts'

/** Enough to see what kind of damage it is; a program takes `--json` and is given all. */
export const MAX_FINDINGS_SHOWN = 20

/** What `booktape verify` finds, as it comes: a line each, or with `--json` an object each, and the report. */
export class Findings {
  count = 0
  readonly #json: boolean
  readonly #progress: Progress

  constructor(json: boolean, progress: Progress) {
    this.#json = json
    this.#progress = progress
  }

  add(finding: Finding): void {
    this.count++
    this.#progress.end()
    if (this.#json) process.stdout.write(`${JSON.stringify(finding)}\n`)
    else if (this.count <= MAX_FINDINGS_SHOWN) process.stdout.write(`${finding.kind.padEnd(8)} ${finding.sentence}\n`)
  }

  /** `lines`: the report in words. */
  end(report: object, lines: readonly string[]): void {
    this.#progress.end()
    if (this.#json) process.stdout.write(`${JSON.stringify({ kind: 'report', ...report })}\n`)
    else process.stdout.write([...this.#hidden(), ...lines, this.#verdict(), ''].join('\n'))
  }

  #hidden(): readonly string[] {
    const hidden = this.count - MAX_FINDINGS_SHOWN
    return hidden > 0 ? [`and ${hidden.toLocaleString('en-US')} more; --json gives all`] : []
  }

  #verdict(): string {
    if (this.count === 0) return 'nothing is altered, missing or doubled'
    const findings = this.count === 1 ? '1 finding' : `${this.count.toLocaleString('en-US')} findings`
    return `${findings}: docs/verify.md says what to do about each kind`
  }
}

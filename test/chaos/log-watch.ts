/** Reads along what a recorder says: whether it ever told the secret, whether a bug stopped it, and its last words. */
export class LogWatch {
  readonly #secret: string
  readonly #last: string[] = []
  /** Places in which the secret was seen. */
  readonly leaks: string[] = []
  /** Lines that tell of a bug of ours. */
  readonly bugs: string[] = []
  /** How often each message came, at warn and above. */
  readonly warnings = new Map<string, number>()

  constructor(secret: string) {
    this.#secret = secret
  }

  /** One line of either output; gives the address in it when it is the one that tells it. */
  take(line: string): string | null {
    this.#last.push(line.slice(0, MAX_LINE))
    if (this.#last.length > MAX_REMEMBERED_LINES) this.#last.shift()
    this.lookForSecret('the log', line)
    const entry = read(line)
    if (entry === null) {
      if (/^\s*at .+:\d+:\d+\)?$/.test(line)) this.bugs.push(line) // a stack, so not a sentence of ours
      return null
    }
    if (entry.level === 'fatal' || entry.conflict !== undefined) this.bugs.push(line.slice(0, MAX_LINE))
    if (entry.level !== 'info') {
      const message = entry.msg ?? ''
      this.warnings.set(message, (this.warnings.get(message) ?? 0) + 1)
    }
    return entry.msg === 'recording' ? (entry.http ?? null) : null
  }

  lookForSecret(place: string, text: string): void {
    if (text.includes(this.#secret)) this.leaks.push(place)
  }

  story(): string {
    return this.#last.join('\n')
  }
}

type LogLine = Readonly<{ level?: string; msg?: string; http?: string; conflict?: string }>

const MAX_REMEMBERED_LINES = 25
const MAX_LINE = 600

function read(line: string): LogLine | null {
  if (!line.startsWith('{')) return null
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return null // cut off by a kill
  }
}

import { readFileSync } from 'node:fs'

/** Exit code of a bad configuration (EX_CONFIG of sysexits.h; docs: contract, section 1). */
export const EXIT_CONFIG = 78

/** The configuration cannot be used. Lists every problem, each a sentence that names its variable, never a secret. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly exitCode = EXIT_CONFIG
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads settings from the environment, all of them before complaining about any.
 *
 *   const config = readSettings(process.env, (read) => ({
 *     symbols: read.list('BOOKTAPE_SYMBOLS'),
 *     port: read.integer('BOOKTAPE_HTTP_PORT', { default: 9464, min: 0, max: 65_535 }),
 *   }))
 *
 * Throws `ConfigError` when `read` met a problem; what the callback made is then never seen.
 */
export function readSettings<T>(env: Environment, read: (reader: SettingsReader) => T): Readonly<T> {
  const reader = new SettingsReader(env)
  const settings = read(reader)
  if (reader.problems.length > 0) throw new ConfigError(reader.problems)
  return Object.freeze(settings)
}

/** A setting without a default is required. A variable set to nothing counts as not set. */
export type Default<D> = Readonly<{ default: D }>
export type Range = Readonly<{ min?: number; max?: number }>

const DURATION_MS = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

const UNIT_BYTES = new Map([
  ['B', 1],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
  ['TiB', 2 ** 40],
  ['kB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['TB', 1e12],
])

export class SettingsReader {
  readonly problems: string[] = []
  readonly #env: Environment

  constructor(env: Environment) {
    this.#env = env
  }

  /** For a rule that a caller checks itself. */
  problem(sentence: string): void {
    if (!this.problems.includes(sentence)) this.problems.push(sentence)
  }

  /** Whether something was wrong with this variable already: a rule of its range would say it again in other words. */
  hasProblem(name: string): boolean {
    return this.problems.some((sentence) => sentence.startsWith(name))
  }

  text(name: string): string
  text<D>(name: string, options: Default<D>): string | D
  text<D>(name: string, options?: Default<D>): string | D {
    return this.#read(name, options, '', (text) => text)
  }

  integer(name: string, options?: Range): number
  integer<D>(name: string, options: Default<D> & Range): number | D
  integer<D>(name: string, options: Partial<Default<D>> & Range = {}): number | D {
    return this.#read(name, defaultOf(options), 0, (text) => {
      const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
      if (Number.isNaN(value)) return this.#refuse(name, `must be a whole number, not ${quote(text)}`)
      const { min, max } = options
      if (min !== undefined && value < min) return this.#refuse(name, `must be at least ${min}, not ${value}`)
      if (max !== undefined && value > max) return this.#refuse(name, `must be at most ${max}, not ${value}`)
      return value
    })
  }

  boolean(name: string): boolean
  boolean<D>(name: string, options: Default<D>): boolean | D
  boolean<D>(name: string, options?: Default<D>): boolean | D {
    return this.#read(name, options, false, (text) => {
      if (text === 'true' || text === '1') return true
      if (text === 'false' || text === '0') return false
      return this.#refuse(name, `must be true or false, not ${quote(text)}`)
    })
  }

  /** Milliseconds, from `500ms`, `60s`, `5m`, `24h`, `7d`. */
  duration(name: string): number
  duration<D>(name: string, options: Default<D>): number | D
  duration<D>(name: string, options?: Default<D>): number | D {
    return this.#read(name, options, 0, (text) => {
      const ms = withUnit(text, DURATION_MS)
      return ms ?? this.#refuse(name, `must be a duration such as 500ms, 60s or 24h, not ${quote(text)}`)
    })
  }

  /** Bytes, from `20GiB`, `512MiB`, `1048576B`. */
  bytes(name: string): number
  bytes<D>(name: string, options: Default<D>): number | D
  bytes<D>(name: string, options?: Default<D>): number | D {
    return this.#read(name, options, 0, (text) => {
      const bytes = withUnit(text, UNIT_BYTES)
      return bytes ?? this.#refuse(name, `must be a size such as 512MiB or 20GiB, not ${quote(text)}`)
    })
  }

  choice<const C extends string>(name: string, choices: readonly C[], options?: Default<C>): C {
    const first = choices[0]
    if (first === undefined) throw new RangeError(`${name} has nothing to choose from`)
    return this.#read<C, C>(name, options, first, (text) => {
      const chosen = choices.find((choice) => choice === text.toLowerCase())
      return chosen ?? this.#refuse(name, `must be one of ${choices.join(', ')}, not ${quote(text)}`)
    })
  }

  /** Comma separated, lowercase, blanks cut, each once, in the order given. */
  list(name: string): readonly string[]
  list<D>(name: string, options: Default<D>): readonly string[] | D
  list<D>(name: string, options?: Default<D>): readonly string[] | D {
    return this.#read<readonly string[], D>(name, options, [], (text) => {
      const parts = text.split(',').map((part) => part.trim().toLowerCase())
      if (parts.includes('')) return this.#refuse(name, `has an empty place between its commas: ${quote(text)}`)
      return [...new Set(parts)]
    })
  }

  /** From NAME, or from the file that NAME_FILE names (a mounted secret); `null` when neither is set. */
  secret(name: string): string | null {
    const direct = this.#env[name] ?? ''
    const file = this.#env[`${name}_FILE`] ?? ''
    if (direct !== '' && file !== '') {
      return this.#refuse(name, `and ${name}_FILE are both set: keep one of them`)
    }
    if (file === '') return direct === '' ? null : direct
    try {
      const text = readFileSync(file, 'utf8').trim()
      return text === '' ? this.#refuse(`${name}_FILE`, `names an empty file: ${file}`) : text
    } catch (error) {
      const cause = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
      return this.#refuse(`${name}_FILE`, `names a file that cannot be read (${cause}): ${file}`)
    }
  }

  #read<T, D>(name: string, options: Default<D> | undefined, placeholder: T, parse: (text: string) => T | null): T | D {
    const text = (this.#env[name] ?? '').trim()
    if (text !== '') return parse(text) ?? placeholder
    if (options !== undefined) return options.default
    this.#refuse(name, 'is not set and has no default')
    return placeholder
  }

  #refuse(name: string, trouble: string): null {
    this.problem(`${name} ${trouble}.`)
    return null
  }
}

function defaultOf<D>(options: Partial<Default<D>>): Default<D> | undefined {
  return 'default' in options ? { default: options.default } : undefined
}

/** A positive number with a unit, as a safe integer of the base unit; `null` for anything else. */
function withUnit(text: string, units: ReadonlyMap<string, number>): number | null {
  const match = /^(\d{1,12}) ?([A-Za-z]{1,3})$/.exec(text)
  const unit = units.get(match?.[2] ?? '')
  if (match === null || unit === undefined) return null
  const value = Number(match[1]) * unit
  return value > 0 && Number.isSafeInteger(value) ? value : null
}

/** Long enough to recognise, short enough for one line. */
const QUOTED_CHARACTERS = 60

function quote(text: string): string {
  return JSON.stringify(text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text)
}

import { type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino'
import { type Clock, systemClock } from './clock.ts'
import { type LogDestination, openLogOutput } from './log-output.ts'
import { REDACTED, redactUrl } from './redact.ts'

export type { Logger }

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Lines of one class (one level and message) in one second; more are counted and the count is told (fault S11). */
export const LINES_PER_SECOND = 10

/** Classes counted apart. Messages are constants of ours, some dozens; beyond, all others share one class. */
export const MAX_MESSAGE_CLASSES = 512

const STANDARD_OUTPUT = 1

export type LoggerSettings = Readonly<{
  level: LogLevel
  name: string
  style?: 'json' | 'line' // `line`: for people at a terminal
  destination?: LogDestination // stdout when absent
  secrets?: readonly string[] // texts that must never appear, beside the passwords of urls
  clock?: Clock
}>

export function createLogger(settings: LoggerSettings): Logger {
  const clean = removeSecrets(settings.secrets ?? [])
  return pino(
    {
      level: settings.level,
      name: settings.name,
      base: {},
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: readError, error: readError },
      redact: { paths: SECRET_PATHS, censor: REDACTED },
      hooks: {
        logMethod: limitLines(settings.clock ?? systemClock()),
        streamWrite: (line) => shown(settings.style === 'line' ? readableLine(clean(line)) : clean(line)),
      },
    },
    settings.destination ?? openLogOutput(STANDARD_OUTPUT),
  )
}

/**
 * JSON escapes the control characters of ASCII only. Terminals also obey those of Latin-1, and marks that turn the direction
 * of writing show a line as what it is not: both are spelt out, which inside JSON means the same text.
 */
function shown(line: string): string {
  return line.replace(OBEYED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const OBEYED = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Fields that hold a secret whatever their value. Urls are found in the text itself. */
const SECRET_PATHS = ['password', 'apiKey', 'apiSecret', 'secret', 'authorization'].flatMap((field) => [
  field,
  `*.${field}`,
  `*.*.${field}`,
])

function readError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const cause = error.cause === undefined ? {} : { cause: readError(error.cause) }
  const code = 'code' in error ? { code: error.code } : {}
  return { type: error.name, message: error.message, ...code, stack: error.stack, ...cause }
}

type LogMethodHook = NonNullable<NonNullable<LoggerOptions['hooks']>['logMethod']>

const FATAL_LEVEL = 60

function limitLines(clock: Clock): LogMethodHook {
  const classes = new Map<string, { windowNs: bigint; lines: number; dropped: number }>()

  return function limited(args, method, level) {
    if (level >= FATAL_LEVEL) return method.apply(this, args)
    const [first, second] = args as unknown[]
    const message = typeof first === 'string' ? first : typeof second === 'string' ? second : ''
    const wanted = `${level} ${message}`
    const name = classes.has(wanted) || classes.size < MAX_MESSAGE_CLASSES ? wanted : `${level} other`
    const nowNs = clock.monoNs()
    const count = classes.get(name) ?? { windowNs: nowNs, lines: 0, dropped: 0 }
    classes.set(name, count)
    if (nowNs - count.windowNs >= 1_000_000_000n) {
      count.windowNs = nowNs
      count.lines = 0
    }
    if (count.lines >= LINES_PER_SECOND) {
      count.dropped++
      return
    }
    count.lines++
    if (count.dropped > 0) method.call(this, { droppedLines: count.dropped, of: message }, 'log lines were dropped')
    count.dropped = 0
    method.apply(this, args)
  }
}

function removeSecrets(secrets: readonly string[]): (line: string) => string {
  const spellings = secrets.filter((secret) => secret !== '').map((secret) => JSON.stringify(secret).slice(1, -1))
  return (line) => spellings.reduce((text, secret) => text.replaceAll(secret, REDACTED), redactUrl(line))
}

/** `12:34:56.789 info  name: message key=value`, from one JSON line. JSON has already escaped control characters. */
export function readableLine(line: string): string {
  const { time, level, name, msg, ...rest } = JSON.parse(line) as Record<string, unknown>
  const fields = Object.entries(rest).map(([key, value]) => ` ${plain(key)}=${JSON.stringify(value)}`)
  const clockTime = typeof time === 'string' ? time.slice(11, 23) : ''
  return `${clockTime} ${plain(level).padEnd(5)} ${plain(name)}: ${plain(msg)}${fields.join('')}\n`
}

/** Text of others may hold line ends and terminal commands: they are shown, not obeyed. */
function plain(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"') : ''
}

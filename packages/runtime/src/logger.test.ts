import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from './clock.ts'
import { createLogger, type Logger, type LoggerSettings, readableLine } from './logger.ts'
import { redactUrl } from './redact.ts'

test('a line is one JSON object with time, level, name and message', () => {
  const { log, lines } = capture()
  log.info({ symbol: 'btcusd' }, 'book is live')
  const { time, ...rest } = lines()[0] ?? {}
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.deepEqual(rest, { level: 'info', name: 'recorder', symbol: 'btcusd', msg: 'book is live' })
})

test('passwords appear nowhere: not in fields, urls, errors or their causes', () => {
  const { log, text } = capture({ secrets: ['canary-4"quoted'] })
  const cause = new Error('no route to postgres://ann:canary-1@db/market')
  log.info({ password: 'canary-2', database: { password: 'canary-3' } }, 'x')
  log.warn({ err: new Error('failed', { cause }) }, 'postgres://ann:canary-1@db:5432/market is away')
  log.warn({ note: 'canary-4"quoted' }, 'says canary-4"quoted')
  assert.doesNotMatch(text(), /canary/)
  assert.match(text(), /no route to postgres:\/\/ann:\[redacted\]@db\/market/)
})

for (const [text, expected] of [
  ['postgres://ann:secret@db:5432/market', 'postgres://ann:[redacted]@db:5432/market'],
  ['postgres://:secret@db/market', 'postgres://:[redacted]@db/market'],
  ['postgres://ann:se@cret@db/market', 'postgres://ann:[redacted]@db/market'],
  ['postgres://db:5432/market', 'postgres://db:5432/market'],
  ['{"url":"wss://host:443/v1","by":"ann@home"}', '{"url":"wss://host:443/v1","by":"ann@home"}'],
] as const) {
  test(`${text} is shown as ${expected}`, () => assert.equal(redactUrl(text), expected))
}

test('of one message at most ten lines a second are written, and the count of the others is told', () => {
  const time = { ns: 0n }
  const { log, lines } = capture({ clock: frozen(time) })
  for (let i = 0; i < 25; i++) log.warn({ i }, 'message of the venue could not be read')
  log.warn('something else')
  assert.equal(lines().length, 11)
  time.ns = 1_000_000_000n
  log.warn({ i: 25 }, 'message of the venue could not be read')
  assert.deepEqual(
    lines()
      .slice(11)
      .map(({ msg, droppedLines, of }) => ({ msg, droppedLines, of })),
    [
      { msg: 'log lines were dropped', droppedLines: 15, of: 'message of the venue could not be read' },
      { msg: 'message of the venue could not be read', droppedLines: undefined, of: undefined },
    ],
  )
})

test('many different messages share one limit in the end, so that hostile text cannot grow memory', () => {
  const { log, lines } = capture({ clock: frozen({ ns: 0n }) })
  for (let i = 0; i < 2000; i++) log.warn(`hostile ${i}`)
  assert.equal(lines().length, 512 + 10)
})

test('fatal lines are never held back', () => {
  const { log, lines } = capture({ clock: frozen({ ns: 0n }) })
  for (let i = 0; i < 20; i++) log.fatal('broken belief')
  assert.equal(lines().length, 20)
})

test('the readable form is one line, with the control characters of others shown, not obeyed', () => {
  const line = readableLine(
    JSON.stringify({
      time: '2025-01-01T12:34:56.789Z',
      level: 'warn',
      name: 'recorder',
      reason: 'bad\nline\u001b[31m',
      msg: 'a "quoted"\nword',
    }),
  )
  assert.equal(line, '12:34:56.789 warn  recorder: a "quoted"\\nword reason="bad\\nline\\u001b[31m"\n')
})

type Line = Readonly<Record<string, unknown>>
type Captured = Readonly<{ log: Logger; text: () => string; lines: () => readonly Line[] }>

function capture(settings: Partial<LoggerSettings> = {}): Captured {
  let written = ''
  const destination = {
    write: (line: string) => {
      written += line
    },
  }
  const log = createLogger({ level: 'info', name: 'recorder', destination, ...settings })
  const lines = (): readonly Line[] =>
    written
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line)
  return { log, text: () => written, lines }
}

function frozen(time: Readonly<{ ns: bigint }>): Clock {
  return { monoNs: () => time.ns, wallNs: () => time.ns, sleep: () => Promise.resolve() }
}

import { once } from 'node:events'
import type { Tape, TapeClock } from '@booktape/client'
import { ndjson, type Pace, startReplayServer } from '@booktape/replay'
import { ConfigError, type Lifecycle, systemClock } from '@booktape/runtime'
import { Progress } from './progress.ts'
import { openRecording, type SourceOptions } from './recording-source.ts'
import { type BoundedSpan, readSpan, requireBounds, type SpanOptions } from './span.ts'
import { watchStop } from './stop.ts'

export type ReplayOptions = Readonly<{
  clock: string
  pace?: string
  only?: string
  serve?: number
  host: string
  wait: boolean
  stay?: boolean
}>

type Read = Readonly<{ clock: TapeClock; pace: Pace; only: 'books' | 'trades' | null }>

/** `booktape replay`: lines of JSON on the output, or a server until all has been replayed or a signal comes. */
export async function replay(
  symbols: readonly string[],
  options: SpanOptions & SourceOptions & ReplayOptions,
): Promise<void> {
  const clock = systemClock()
  const span = requireBounds(readSpan(symbols, options, clock.wallNs()))
  const read = readOptions(options)
  const tape = await openRecording(options, 'booktape replay')
  const progress = new Progress({ output: process.stderr, monoNs: () => clock.monoNs(), unit: 'events' })
  const stop = watchStop((sentence) => progress.say(sentence))
  try {
    if (options.serve === undefined) await print(tape, span, read, stop, progress)
    else await serve(tape, span, read, options, options.serve, stop, progress)
  } finally {
    progress.end()
    stop.close()
    await tape.close()
  }
}

/** @throws ConfigError that names every problem at once. */
function readOptions(options: ReplayOptions): Read {
  const problems: string[] = []
  const { clock, only = null } = options
  const pace = readPace(options.pace ?? (options.serve === undefined ? 'full' : 'recorded'))
  if (clock !== 'received' && clock !== 'exchange')
    problems.push(`--clock is ${JSON.stringify(clock)}; the clocks are received and exchange.`)
  if (pace === null)
    problems.push(`--pace is ${JSON.stringify(options.pace)}: write recorded, full, or a number such as 0.5 or 60.`)
  if (only !== null && only !== 'books' && only !== 'trades')
    problems.push(`--only is ${JSON.stringify(only)}: write books or trades, or leave it out for both.`)
  if (only !== null && options.serve !== undefined)
    problems.push('--only does not go with --serve: a client subscribes to what it wants.')
  if (problems.length > 0) throw new ConfigError(problems)
  return { clock: clock as TapeClock, pace: pace ?? 'full', only: only as Read['only'] }
}

function readPace(text: string): Pace | null {
  if (text === 'full') return 'full'
  if (text === 'recorded') return 1
  const pace = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : 0
  return pace > 0 ? pace : null
}

async function print(
  tape: Tape,
  { symbols, fromNs: from, toNs: to, feed }: BoundedSpan,
  { clock, pace, only }: Read,
  { stopping }: Lifecycle,
  progress: Progress,
): Promise<void> {
  const chosen = { ...(feed === null ? {} : { feed }), ...(only === null ? {} : { only }) }
  const question = { symbols, from, to, clock, ...chosen }
  const total = to - from
  // Whoever reads the output may have enough of it, as `head` has: that ends the replay, and is no failure.
  let isReading = true
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    isReading = false
  })
  const lines = ndjson({
    tape,
    question,
    pace,
    clock: systemClock(),
    signal: stopping,
    onPassed: (nowNs, count) => progress.show(symbols.join(' '), { done: nowNs - from, total, count }),
  })
  for await (const text of lines) {
    if (!process.stdout.write(text)) await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')])
    if (!isReading) return
  }
}

async function serve(
  tape: Tape,
  { symbols, fromNs, toNs, feed }: BoundedSpan,
  { clock, pace }: Read,
  options: ReplayOptions,
  port: number,
  { stopping }: Lifecycle,
  progress: Progress,
): Promise<void> {
  const server = await startReplayServer({
    tape,
    span: { symbols, fromNs, toNs, feed, clock },
    port,
    host: options.host,
    pace,
    waitsForClients: options.wait,
    clock: systemClock(),
    onWaiting: (books) => {
      progress.say(`waiting for a client of ${books.map((book) => `${book.feed} ${book.symbol}`).join(', ')}`)
    },
    onPassed: (nowNs, count) => progress.show(symbols.join(' '), { done: nowNs - fromNs, total: toNs - fromNs, count }),
  }).catch((error: unknown) => {
    throw refusedPort(error, port) ?? error
  })
  try {
    const books = server.books.map((book) => `${book.feed} ${book.symbol}`).join(', ')
    process.stdout.write(
      `Replaying ${books} at ${server.url} ` +
        `(BOOKTAPE_GEMINI_V1_URL=${server.v1Url} BOOKTAPE_GEMINI_WS_URL=${server.wsUrl} BOOKTAPE_GEMINI_REST_URL=${server.restUrl})\n`,
    )
    const stopped = stopping.aborted ? Promise.resolve() : once(stopping, 'abort')
    const events = await Promise.race([server.over, stopped.then(() => null)])
    if (events === null) return
    progress.say(`all ${events} events have been replayed`)
    if (options.stay === true) await stopped
  } finally {
    await server.stop()
  }
}

function refusedPort(error: unknown, port: number): ConfigError | null {
  const code = error instanceof Error && 'code' in error ? error.code : null
  if (code !== 'EADDRINUSE' && code !== 'EACCES') return null
  const trouble = code === 'EACCES' ? 'may not be used by this user' : 'is already taken by another program'
  return new ConfigError([`Port ${port} ${trouble}: choose another with --serve.`])
}

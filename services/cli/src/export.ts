import { once } from 'node:events'
import type { Tape } from '@booktape/client'
import {
  ExportError,
  type ExportPlan,
  exportParts,
  FORMATS,
  type Format,
  type Part,
  type PartOutcome,
  partsOf,
  streamPart,
} from '@booktape/export'
import { ConfigError, systemClock } from '@booktape/runtime'
import { Progress } from './progress.ts'
import { openRecording, type SourceOptions } from './recording-source.ts'
import { type BoundedSpan, readSpan, requireBounds, type SpanOptions } from './span.ts'
import { watchStop } from './stop.ts'
import { table } from './table.ts'
import { VERSION } from './version.ts'

export type ExportOptions = SpanOptions &
  SourceOptions &
  Readonly<{ format: string; out: string; data?: string; shift: string; instants: number; json?: boolean }>

/** `booktape export`: a recording as files that other tools read. */
export async function exportRecording(symbols: readonly string[], options: ExportOptions): Promise<void> {
  const clock = systemClock()
  const span = wholeMicroseconds(requireBounds(readSpan(symbols, options, clock.wallNs())))
  const chosen = readChoice(options)
  const isStream = options.out === '-'
  if (isStream && span.symbols.length > 1)
    throw new ConfigError(['Standard output takes one symbol: give a directory with --out, or use booktape replay.'])
  const parts = isStream
    ? wholeSpan(span)
    : span.symbols.flatMap((symbol) => partsOf(symbol, span.feed, span.fromNs, span.toNs))
  const progress = new Progress({ output: process.stderr, monoNs: clock.monoNs, unit: 'changes' })
  const stop = watchStop((sentence) => progress.say(sentence))
  const plan: ExportPlan = {
    ...chosen,
    directory: options.out,
    version: VERSION,
    instants: options.instants,
    stopping: stop.stopping,
    onProgress: progressOver(parts, progress),
  }
  const tape = await openRecording(options, 'booktape export')
  try {
    if (isStream) await toStandardOutput(tape, parts, plan)
    else report(await toDirectory(tape, parts, plan), options, progress)
  } catch (error) {
    if (stop.stopping.aborted)
      throw new ExportError(
        'The export was stopped before its end: the same command goes on after its last finished part.',
      )
    throw error
  } finally {
    progress.end()
    stop.close()
    await tape.close()
  }
}

async function toDirectory(tape: Tape, parts: readonly Part[], plan: ExportPlan): Promise<readonly PartOutcome[]> {
  const outcomes: PartOutcome[] = []
  for await (const outcome of exportParts(tape, parts, plan)) outcomes.push(outcome)
  return outcomes
}

async function toStandardOutput(tape: Tape, parts: readonly Part[], plan: ExportPlan): Promise<void> {
  const { stdout } = process
  let isGone = false // whoever read it has enough, such as `head`
  stdout.on('error', () => {
    isGone = true
  })
  for (const part of parts) {
    const { sidecar } = await streamPart(tape, part, plan, async (text) => {
      if (isGone) process.exit(0)
      if (!stdout.write(text)) await Promise.race([once(stdout, 'drain'), once(stdout, 'close')])
    })
    const notHeld = Object.values(sidecar).reduce((sum, count) => sum + count, 0)
    if (notHeld > 0) {
      process.stderr.write(
        `${notHeld} values are not there as they were recorded: give a directory with --out to have them in a file beside.\n`,
      )
    }
  }
}

function report(outcomes: readonly PartOutcome[], { out, json }: ExportOptions, progress: Progress): void {
  progress.end()
  if (json === true) {
    const parts = outcomes.map(({ manifest, isSkipped }) => ({
      skipped: isSkipped,
      ...manifest,
      book_digests: undefined,
    }))
    process.stdout.write(`${JSON.stringify({ directory: out, parts }, null, 2)}\n`)
    return
  }
  const lines = outcomes.map(({ manifest, isSkipped }) => {
    const { symbol, day, feed, files, counts, gaps, sidecar } = manifest
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    const notHeld = Object.values(sidecar).reduce((sum, count) => sum + count, 0)
    return [
      symbol,
      day,
      feed ?? 'not known',
      isSkipped ? 'was there' : `${files.length} files, ${Math.ceil(bytes / 1024)} KiB`,
      ...[counts['changes'] ?? 0, counts['trades'] ?? 0, gaps.length, notHeld].map(String),
    ]
  })
  process.stdout.write(table(['symbol', 'day', 'feed', 'files', 'changes', 'trades', 'gaps', 'not held'], lines))
  const worst = outcomes.reduce((most, { manifest }) => {
    const ns = Number(manifest.facts['events']?.['worst_lowering_ns'] ?? 0) // for a sentence: a duration
    return Math.max(most, ns)
  }, 0)
  if (worst > 1)
    process.stderr.write(
      `The venue's times are up to ${Math.ceil(worst / 1e6)} ms after ours, which hftbacktest does not take: --shift ${Math.ceil(worst / 1e6)}ms would keep their distances.\n`,
    )
}

/** The bar is over the time of all parts. */
function progressOver(parts: readonly Part[], progress: Progress): ExportPlan['onProgress'] {
  const total = parts.reduce((sum, { fromNs, toNs }) => sum + toNs - fromNs, 0n)
  let changesBefore = 0
  let changesOfPart = 0
  let current: Part | null = null
  return (part, atNs, changes) => {
    if (part !== current) changesBefore += changesOfPart
    current = part
    changesOfPart = changes
    const at = parts.findIndex(({ symbol, day }) => symbol === part.symbol && day === part.day)
    const before = parts.slice(0, at).reduce((sum, { fromNs, toNs }) => sum + toNs - fromNs, 0n)
    progress.show(`${part.symbol} ${part.day}`, {
      done: before + atNs - part.fromNs,
      total,
      count: changesBefore + changes,
    })
  }
}

/** @throws ConfigError that names every problem at once. */
function readChoice({
  format: name,
  data: list,
  shift,
}: ExportOptions): Pick<ExportPlan, 'format' | 'data' | 'options'> {
  const problems: string[] = []
  const format = FORMATS.find((one) => one.name === name)
  if (format === undefined) {
    problems.push(`--format is ${JSON.stringify(name)}; the formats are ${FORMATS.map((one) => one.name).join(', ')}.`)
  }
  const known = format === undefined ? [] : Object.keys(format.data)
  const data = list === undefined ? known : list.split(',').map((part) => part.trim())
  for (const one of format === undefined ? [] : data) {
    if (!known.includes(one)) problems.push(`--data holds ${JSON.stringify(one)}; ${name} has ${known.join(', ')}.`)
  }
  const [, milliseconds] = /^(\d{1,7})ms$/.exec(shift) ?? []
  if (milliseconds === undefined)
    problems.push(`--shift is ${JSON.stringify(shift)}: write milliseconds, such as 60ms.`)
  else if (milliseconds !== '0' && format !== undefined && format.name !== 'hftbacktest')
    problems.push('--shift is for hftbacktest alone: other formats have both times as they were recorded.')
  if (format === undefined || problems.length > 0) throw new ConfigError(problems)
  return { format: format satisfies Format, data, options: { shiftNs: BigInt(milliseconds ?? 0) * 1_000_000n } }
}

/** Instants of a database are whole microseconds. */
const NS_PER_US = 1000n

function wholeMicroseconds(span: BoundedSpan): BoundedSpan {
  return { ...span, fromNs: span.fromNs - (span.fromNs % NS_PER_US), toNs: span.toNs - (span.toNs % NS_PER_US) }
}

/** Standard output has no parts. */
function wholeSpan({ symbols, feed, fromNs, toNs }: BoundedSpan): readonly Part[] {
  return symbols.map((symbol) => ({
    symbol,
    feed,
    day: partsOf(symbol, feed, fromNs, toNs)[0]?.day ?? '',
    fromNs,
    toNs,
  }))
}

import { systemClock } from '@booktape/runtime'
import { openDatabase, timestampText } from '@booktape/store'
import { type VerifyReport, verify } from '@booktape/verify'
import { findDatabase } from './database-address.ts'
import { EXIT_FAILED } from './explain.ts'
import { Findings } from './findings.ts'
import { Progress } from './progress.ts'
import type { SourceOptions } from './recording-source.ts'
import { readSpan, type SpanOptions } from './span.ts'

export type VerifyOptions = SpanOptions & SourceOptions & Readonly<{ line?: string; json?: boolean }>

const HOUR_NS = 3_600_000_000_000n

/** `booktape verify`: what is wrong with a recording, a line each. The exit code is 1 where anything is. */
export async function verifyRecording(given: readonly string[], options: VerifyOptions): Promise<void> {
  const clock = systemClock()
  const asked = readSpan(given, options, clock.wallNs())
  if (options.archive !== undefined) {
    const { verifyPlace } = await import('./verify-archive.ts')
    const { line, json = false } = options
    return await verifyPlace(options.archive, asked, { hasEnd: options.to !== undefined, line, json })
  }
  const { symbols, fromNs, toNs, feed } = asked
  const span = {
    symbols: symbols.length === 0 ? null : symbols,
    // Rows are counted by the hour: whole hours are verified.
    fromTime: fromNs === null ? null : timestampText(fromNs - (fromNs % HOUR_NS)),
    toTime: options.to === undefined ? null : timestampText(toNs + ((HOUR_NS - (toNs % HOUR_NS)) % HOUR_NS)),
    feed,
    line: options.line ?? null,
  }
  const database = openDatabase(await findDatabase(), {
    applicationName: 'booktape verify',
    max: 1,
    answerTimeoutMs: null,
  })
  const progress = new Progress({ output: process.stderr, monoNs: clock.monoNs, unit: 'rows' })
  const findings = new Findings(options.json === true, progress)
  try {
    for await (const event of verify(database, span)) {
      if (event.kind === 'progress')
        progress.show(event.what, { done: BigInt(event.rows), total: event.rowsInAll, count: event.rows })
      else if (event.kind === 'finding') findings.add(event.finding)
      else findings.end(event.report, summary(event.report))
    }
  } finally {
    progress.end()
    await database.close()
  }
  if (findings.count > 0) process.exitCode = EXIT_FAILED
}

function summary({ rows, changes, books, unbuilt, bytes, epochs }: VerifyReport): readonly string[] {
  const count = (value: number): string => value.toLocaleString('en-US')
  return [
    `${count(rows)} rows (${count(bytes)} bytes) and ${count(changes)} changes of ${count(epochs)} epochs checked, ${count(books)} books rebuilt and compared`,
    ...(unbuilt > 0
      ? [
          `${count(unbuilt)} messages make no book: no whole book before them is kept. Their checksums and ids were checked.`,
        ]
      : []),
  ]
}

import { systemClock } from '@booktape/runtime'
import { openDatabase, timestampText } from '@booktape/store'
import { type Finding, type VerifyReport, verify } from '@booktape/verify'
import { findDatabase } from './database-address.ts'
import { EXIT_FAILED } from './explain.ts'
import { Progress } from './progress.ts'
import { readSpan, type SpanOptions } from './span.ts'

export type VerifyOptions = SpanOptions & Readonly<{ line?: string; json?: boolean }>

/** Enough to see what kind of damage it is; a program takes `--json` and is given all. */
export const MAX_FINDINGS_SHOWN = 20

const HOUR_NS = 3_600_000_000_000n

/** `booktape verify`: what is wrong with a recording, a line each. The exit code is 1 where anything is. */
export async function verifyRecording(given: readonly string[], options: VerifyOptions): Promise<void> {
  const clock = systemClock()
  const { symbols, fromNs, toNs, feed } = readSpan(given, options, clock.wallNs())
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
  const json = options.json === true
  let found = 0
  try {
    for await (const event of verify(database, span)) {
      if (event.kind === 'progress') {
        progress.show(event.what, { done: BigInt(event.rows), total: event.rowsInAll, count: event.rows })
      } else if (event.kind === 'finding') {
        found++
        progress.end()
        if (json) process.stdout.write(`${JSON.stringify(event.finding)}\n`)
        else if (found <= MAX_FINDINGS_SHOWN) process.stdout.write(lineOf(event.finding))
      } else {
        progress.end()
        process.stdout.write(json ? `${JSON.stringify({ kind: 'report', ...event.report })}\n` : summary(event.report))
      }
    }
  } finally {
    progress.end()
    await database.close()
  }
  if (found > 0) process.exitCode = EXIT_FAILED
}

function lineOf({ kind, sentence }: Finding): string {
  return `${kind.padEnd(8)} ${sentence}\n`
}

function summary({ rows, changes, books, unbuilt, bytes, epochs, findings }: VerifyReport): string {
  const count = (value: number): string => value.toLocaleString('en-US')
  const hidden = findings - MAX_FINDINGS_SHOWN
  return [
    ...(hidden > 0 ? [`and ${count(hidden)} more; --json gives all`] : []),
    `${count(rows)} rows (${count(bytes)} bytes) and ${count(changes)} changes of ${count(epochs)} epochs checked, ${count(books)} books rebuilt and compared`,
    ...(unbuilt > 0
      ? [
          `${count(unbuilt)} messages make no book: no whole book before them is kept. Their checksums and ids were checked.`,
        ]
      : []),
    findings === 0
      ? 'nothing is altered, missing or doubled'
      : `${findings === 1 ? '1 finding' : `${count(findings)} findings`}: docs/verify.md says what to do about each kind`,
    '',
  ].join('\n')
}

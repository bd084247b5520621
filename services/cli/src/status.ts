import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '@booktape/runtime'
import { type Database, openDatabase, readCoverage, readStatus, redactDatabaseUrl, StoreError } from '@booktape/store'
import { findDatabase, findRecorder } from './database-address.ts'
import { lookAtRecorder } from './recorder-look.ts'
import { type StatusFound, screen } from './status-screen.ts'

/** Often enough to see what moves, rarely enough to be read. */
const WATCH_INTERVAL_MS = 2_000
const DAY_MS = 24 * 3_600_000
/** The coverage of all of Gemini over a day takes a second or two. */
const COVERAGE_TIMEOUT_MS = 20_000

/** `booktape status`: one screen, or everything as JSON. @throws StoreError when the database does not answer, unless it is watched. */
export async function status({ json, watch }: Readonly<{ json: boolean; watch: boolean }>): Promise<void> {
  const url = await findDatabase()
  const recorderUrl = await findRecorder()
  const database = openDatabase(url, { applicationName: 'booktape status', max: 1 })
  const clearsScreen = watch && !json && process.stdout.isTTY
  try {
    for (;;) {
      const [stored, recorder] = await Promise.all([readStored(database), lookAtRecorder(recorderUrl)])
      const trouble = stored instanceof StoreError ? stored : null
      const found: StatusFound = {
        database: redactDatabaseUrl(url),
        stored: stored instanceof StoreError ? null : stored,
        trouble: trouble?.message ?? null,
        recorder,
        recorderUrl,
      }
      const rows = clearsScreen ? process.stdout.rows : null
      const text = json ? jsonOf(found, watch) : screen(found, rows)
      process.stdout.write(clearsScreen ? `\u001b[H\u001b[J${text}` : text)
      if (!watch && trouble !== null) throw trouble
      if (!watch) return
      await delay(WATCH_INTERVAL_MS)
      if (!json && !clearsScreen) process.stdout.write('\n')
    }
  } finally {
    await database.close()
  }
}

async function readStored(database: Database): Promise<NonNullable<StatusFound['stored']> | StoreError> {
  try {
    const standing = await readStatus(database)
    const toMs = Number(systemClock().wallNs() / 1_000_000n)
    const fromMs = toMs - DAY_MS
    const books = standing.feeds.map(({ symbol, feed }) => ({ symbol, feed }))
    const coverage = await readCoverage(database, { books, fromMs, toMs, timeoutMs: COVERAGE_TIMEOUT_MS })
    return { ...standing, coverage, fromMs, toMs }
  } catch (error) {
    if (error instanceof StoreError) return error
    throw error
  }
}

/** Ids and sizes as texts: a number that JSON readers would round is none. */
function jsonOf(found: StatusFound, isLine: boolean): string {
  const { stored, ...rest } = found
  const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)
  return `${JSON.stringify({ ...rest, ...stored }, plain, isLine ? undefined : 2)}\n`
}

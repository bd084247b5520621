import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { migrate } from '@booktape/store'
import { histogramPercentile, NODE_ROOM } from '../bench/recorder-process.ts'
import { CrashingPostgres } from '../chaos/crashing-postgres.ts'
import { booksMissing } from '../chaos/recorder-pages.ts'
import { SpawnedRecorder } from '../chaos/spawned-recorder.ts'
import { type Drill, mebibytes, percentile } from './drill.ts'
import { PinnedExchange } from './pinned-exchange.ts'
import { memoryOf, pin, processorMsOf } from './processes.ts'

const EXCHANGE = fileURLToPath(new URL('many-exchange.ts', import.meta.url))
const LOOK_AGAIN_MS = 1_000
const MS_PER_MINUTE = 60_000
/** Goals of shared figures: what all of Gemini may cost, and how late a row may be. */
const MAX_SHARE = 0.05
const MAX_MEMORY_BYTES = 250_000_000
const MAX_LAG_P99_MS = 250

/** All of Gemini on both feeds, as busy as it is, on one processor: the recorder's share of it, its memory, how late its rows are. */
export const allSymbols: Drill = {
  about: 'as many symbols as Gemini has, on both feeds and as busy: what a recorder of all of them costs',
  usual: { symbols: 347, minutes: 5, seed: 1, 'goals-count': 1 },
  async run(numbers, say) {
    const [theirs, ours] = cpus().length > 1 ? ['0', '1'] : ['0', '0']
    const exchange = await PinnedExchange.spawn([EXCHANGE, String(numbers('seed')), String(numbers('symbols'))])
    pin(exchange.pid, theirs)
    const postgres = await CrashingPostgres.start()
    pin(postgres.pid, theirs)
    await migrate(postgres.url)
    const directory = await mkdtemp(join(tmpdir(), 'booktape-drill-'))
    const recorder = new SpawnedRecorder(
      'a',
      {
        PATH: process.env['PATH'],
        BOOKTAPE_SYMBOLS: '*',
        BOOKTAPE_DATA_DIR: directory,
        BOOKTAPE_HTTP_PORT: '0',
        DATABASE_URL: postgres.url,
        NODE_OPTIONS: NODE_ROOM,
        ...exchange.environment,
      },
      postgres.password,
    )
    try {
      const startedMs = performance.now()
      recorder.start()
      pin(recorder.pid, ours)
      while ((await booksMissing(recorder))?.length !== 0) await delay(LOOK_AGAIN_MS)
      say(`all books live after ${Math.round((performance.now() - startedMs) / 1_000)} s: one dial of v1 a second`)

      const before = { metrics: await page(recorder), ms: processorMsOf(recorder.pid), atMs: performance.now() }
      const memory: number[] = []
      const endsMs = before.atMs + numbers('minutes') * MS_PER_MINUTE
      while (performance.now() < endsMs) {
        await delay(LOOK_AGAIN_MS)
        memory.push(memoryOf(recorder.pid))
      }
      const after = { metrics: await page(recorder), ms: processorMsOf(recorder.pid), atMs: performance.now() }
      const elapsedMs = after.atMs - before.atMs
      const share = (after.ms - before.ms) / elapsedMs
      const lag = bucketsBetween(before.metrics, after.metrics, 'booktape_commit_lag_seconds')
      const [p50, p99] = [0.5, 0.99].map((of) => histogramPercentile(lag, 'booktape_commit_lag_seconds', of) * 1_000)
      const rate = (name: string): number =>
        Math.round((sumOf(after.metrics, name) - sumOf(before.metrics, name)) / (elapsedMs / 1_000))
      say(
        `${numbers('symbols')} symbols on both feeds, ${rate('booktape_messages_received_total')} messages and ` +
          `${rate('booktape_book_changes_applied_total')} changes a second: ${(share * 100).toFixed(1)} % of one processor`,
      )
      say(`memory: median ${mebibytes(percentile(memory, 0.5))}, most ${mebibytes(percentile(memory, 1))}`)
      say(`receive to commit: p50 ${p50?.toFixed(0)} ms, p99 ${p99?.toFixed(0)} ms`)
      const gaps = await postgres.query<{ count: string }>('select count(*) as count from market.gaps')
      await recorder.stop()
      const violations = [...recorder.unasked, ...recorder.log.bugs]
      if (gaps[0]?.count !== '0') violations.push(`${gaps[0]?.count} gaps where nothing went wrong`)
      if (numbers('goals-count') > 0) {
        if (share > MAX_SHARE)
          violations.push(`${(share * 100).toFixed(1)} % of a processor, the goal is ${MAX_SHARE * 100} %`)
        if (percentile(memory, 1) > MAX_MEMORY_BYTES)
          violations.push(`${mebibytes(percentile(memory, 1))} of memory, the goal is ${mebibytes(MAX_MEMORY_BYTES)}`)
        if (!((p99 ?? Number.NaN) <= MAX_LAG_P99_MS)) violations.push(`p99 ${p99} ms, the goal is ${MAX_LAG_P99_MS} ms`)
      }
      return violations
    } finally {
      if (recorder.isRunning) await recorder.kill()
      await exchange.stop()
      await postgres.remove()
      await rm(directory, { recursive: true, force: true })
    }
  },
}

async function page(recorder: SpawnedRecorder): Promise<string> {
  for (;;) {
    const answer = await recorder.get('/metrics')
    if (answer !== null) return answer
  }
}

function sumOf(metrics: string, name: string): number {
  const values = metrics.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)$`, 'gm'))
  return [...values].reduce((sum, [, value]) => sum + Number(value), 0)
}

/** A histogram of what came between two readings, as such a page has it. */
function bucketsBetween(before: string, after: string, name: string): string {
  const line = new RegExp(`^(${name}_bucket\\{[^}]*\\}) (\\d+)$`, 'gm')
  const earlier = new Map([...before.matchAll(line)].map(([, key = '', value]) => [key, Number(value)]))
  return [...after.matchAll(line)]
    .map(([, key = '', value]) => `${key} ${Number(value) - (earlier.get(key) ?? 0)}`)
    .join('\n')
}

import { Client } from 'pg'
import type { ReadersReport } from './readers.ts'

// People with SQL open while the recorder writes: every other one asks for books of the last minutes, the rest for all changes of
// one, as an export does. Each asks again as soon as it is answered, for as long as SECURITY.md lets a reader ask.

const STATEMENT_TIMEOUT_MS = 30_000
const BOOK = `select count(*) from market.epochs e, market.book_at(e.symbol, e.started_at + random() * (now() - e.started_at), null, 'ws')
  where e.symbol = $1 and e.ended_at is null`
const EXPORT = `select count(*) from market.epochs e, market.changes_between(e.symbol, e.started_at, now(), 'ws')
  where e.symbol = $1 and e.ended_at is null`

const [url = '', count = '1'] = process.argv.slice(2)
const startedMs = performance.now()
let answers = 0
const stopping = new AbortController()

async function read(sql: string): Promise<void> {
  const client = new Client({ connectionString: url, statement_timeout: STATEMENT_TIMEOUT_MS })
  await client.connect()
  const { rows } = await client.query<{ symbol: string }>(
    'select symbol from market.epochs where ended_at is null order by symbol',
  )
  for (let i = 0; !stopping.signal.aborted; i++) {
    await client.query(sql, [rows[i % rows.length]?.symbol])
    answers++
  }
  await client.end()
}

const reading = Promise.all(Array.from({ length: Number(count) }, (_, i) => read(i % 2 === 0 ? BOOK : EXPORT)))
reading.catch((error: unknown) => {
  process.stderr.write(`a reader failed: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
process.on('message', () => {
  const report: ReadersReport = { answersPerSecond: answers / ((performance.now() - startedMs) / 1e3) }
  stopping.abort()
  void reading.then(() => process.send?.(report))
})
process.on('disconnect', () => process.exit(0))

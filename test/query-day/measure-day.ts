import { Client } from 'pg'
import { differences, QUESTIONS } from './questions.ts'
import type { RecordedDay } from './recorded-day.ts'

/** Prints what was found; gives the number of answers that differ. */
export async function measureDay(url: string, day: RecordedDay, say: (line: string) => void): Promise<number> {
  const client = new Client({ connectionString: url, types: { getTypeParser: () => (text: string) => text } })
  await client.connect()
  try {
    await client.query(`set timezone = 'UTC'; analyze`)
    say(`${day.symbols.length} symbols, ${day.from} to ${day.to}: ${day.changes} changes, ${day.trades} trades`)
    for (const line of await sizes(client, day.changes)) say(line)
    let different = 0
    for (const question of QUESTIONS) {
      const took: number[] = []
      let wrong = 0
      const every = Math.max(1, Math.floor(day.truths.length / question.times))
      for (const truth of day.truths.filter((_, i) => i % every === 0)) {
        const given = question.values(truth, day)
        const values =
          question.lookup === undefined ? given : ((await ask(client, question.lookup, given))[0] ?? NOTHING_FOUND)
        const began = process.hrtime.bigint()
        const rows = await ask(client, question.sql, values)
        took.push(Number(process.hrtime.bigint() - began) / 1e6)
        if (question.isRight !== undefined && !question.isRight(rows, truth, day)) wrong++
      }
      different += wrong
      took.sort((a, b) => a - b)
      const share = (part: number): string => (took[Math.ceil(took.length * part) - 1] ?? 0).toFixed(1)
      const checked = question.isRight === undefined ? 'not compared' : `${wrong} of ${took.length} differ`
      say(`${question.name}: p50 ${share(0.5)} ms, p99 ${share(0.99)} ms, most ${share(1)} ms; ${checked}`)
    }
    for (const [what, sql, values] of differences(day)) {
      const { rows } = await client.query<[string]>({ text: sql, values, rowMode: 'array' })
      say(`${what}: ${rows[0]?.[0] ?? 'none'}`)
      different += Number(rows[0]?.[0] ?? 1)
    }
    return different
  } finally {
    await client.end()
  }
}

/** Whatever is asked with it has no answer. */
const NOTHING_FOUND: readonly null[] = [null, null, null]

async function ask(client: Client, text: string, values: readonly (string | null)[]): Promise<(string | null)[][]> {
  return (await client.query<(string | null)[]>({ text, values: [...values], rowMode: 'array' })).rows
}

/** Bytes of each table with its indexes, and for each level change. */
async function sizes(client: Client, changes: number): Promise<string[]> {
  const { rows } = await client.query<{ name: string; bytes: string }>(
    `select regexp_replace(relname, '_(\\d{8}|default)$', '') as name, sum(pg_total_relation_size(oid))::text as bytes
     from pg_class where relnamespace = 'booktape'::regnamespace and relkind = 'r' group by 1 having sum(pg_total_relation_size(oid)) > 1e6
     order by sum(pg_total_relation_size(oid)) desc`,
  )
  return rows.map(
    ({ name, bytes }) =>
      `${name}: ${(Number(bytes) / 2 ** 20).toFixed(0)} MiB, ${(Number(bytes) / changes).toFixed(1)} bytes a change`,
  )
}

import { migrate } from '@booktape/store'
import { temporaryDatabase } from '@booktape/testkit'
import { measureDay } from './query-day/measure-day.ts'
import { recordDay } from './query-day/recorded-day.ts'

/**
 * How fast the functions of schema market are on a day of many symbols, and whether they are right there: what is stored on disk, the
 * time of each function at random instants, and how many of its answers differ from what the exchange knew, which must be none.
 *
 *   node packages/testkit/src/with-postgres.ts node test/query-day.ts --hours 24 --symbols 20
 *
 * Exits with 1 when an answer differs.
 */
const number = (name: string, standard: number): number => {
  const at = process.argv.indexOf(name)
  return at === -1 ? standard : Number(process.argv[at + 1])
}
const options = {
  hours: number('--hours', 24),
  symbols: number('--symbols', 20),
  instants: number('--instants', 500),
  seed: number('--seed', 42),
}
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const database = await temporaryDatabase()
try {
  await migrate(database.url)
  const day = await recordDay(database.url, options, say)
  process.exitCode = (await measureDay(database.url, day, say)) === 0 ? 0 : 1
} finally {
  await database.close()
}

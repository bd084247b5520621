import { assertNode, EXIT_CONFIG } from '@booktape/runtime'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { explain } from './explain.ts'
import { addSpanOptions } from './span.ts'
import type { VerifyOptions } from './verify.ts'
import { VERSION } from './version.ts'

const program = new Command('booktape')
  .description("Records the Gemini exchange's order books and trades, exactly, and says where it could not.")
  .version(VERSION)
  .showHelpAfterError('(add --help for what can be said)')
  .exitOverride()

program
  .command('start')
  .description('a first look: an embedded database, the simulated exchange and a recorder, all in one')
  .option('--live', 'record the real exchange instead of the simulated one')
  .argument('[symbols...]', 'what to record', ['btcusd', 'ethusd'])
  .action(async (symbols: string[], options: { live?: boolean }) => {
    const { start } = await import('./start.ts')
    await start({ symbols, live: options.live === true })
  })

program
  .command('record')
  .description('one recorder, configured by the environment alone (docs/configuration.md)')
  .action(async () => {
    const { recordFromEnvironment } = await import('./record.ts')
    await recordFromEnvironment()
  })

program
  .command('migrate')
  .description("bring the database of DATABASE_URL to this version's tables and functions")
  .action(async () => {
    const { migrateFromEnvironment } = await import('./migrate.ts')
    await migrateFromEnvironment()
  })

program
  .command('status')
  .description('what the database holds, and how fresh it is: that of DATABASE_URL or of a running npm start')
  .option('--json', 'for programs')
  .action(async (options: { json?: boolean }) => {
    const { status } = await import('./status.ts')
    await status(options.json === true)
  })

program
  .command('retention')
  .description('drop the days of books and quotes that are older than is kept; as the owner of the tables')
  .option('--keep <days>', 'such as 90d; BOOKTAPE_RETENTION if not given')
  .option('--dry-run', 'only say what would be dropped, and how much that would free')
  .option('--json', 'for programs')
  .action(async (options: { keep?: string; dryRun?: boolean; json?: boolean }) => {
    const { retention } = await import('./retention.ts')
    const { keep, dryRun = false, json = false } = options
    await retention({ ...(keep === undefined ? {} : { keep }), dryRun, json })
  })

program
  .command('query')
  .description('one read-only SQL query, to DATABASE_URL or to the database of a running npm start')
  .argument('<sql>', 'such as "select * from market.book_at(\'btcusd\', now(), 5)"')
  .option('--json', 'a JSON object a line')
  .action(async (sql: string, options: { json?: boolean }) => {
    const { query } = await import('./query.ts')
    await query(sql, options.json === true)
  })

addSpanOptions(program.command('verify'))
  .description('whether what is stored is what was recorded: every row, every book, every id. Exit code 1 if not')
  .option('--line <line>', 'one line only; all if not given')
  .option('--json', 'a JSON object a finding, and one for the report')
  .addHelpText('after', '\nExample:\n  booktape verify btcusd --from 24h')
  .action(async (symbols: string[], options: VerifyOptions) => {
    const { verifyRecording } = await import('./verify.ts')
    await verifyRecording(symbols, options)
  })

program
  .command('exchange')
  .description('the simulated Gemini: both feeds, REST, and faults on request')
  .option('--port <port>', 'where it listens', wholeNumber(0, 65_535), 9465)
  .option('--seed <seed>', 'the same seed gives the same market', wholeNumber(0, 2 ** 31 - 1), 42)
  .option('--rate <factor>', 'how many times as busy as the real one', positive, 1)
  .option('--symbols <list>', 'comma separated; all it knows if not given', '')
  .addHelpText('after', '\nExample:\n  booktape exchange --port 9465 --seed 7 --symbols btcusd,ethusd')
  .action(async (options: { port: number; seed: number; rate: number; symbols: string }) => {
    const { exchange } = await import('./exchange.ts')
    await exchange(options)
  })

try {
  assertNode()
  await program.parseAsync()
} catch (error) {
  process.exitCode = sayWhy(error)
}

function sayWhy(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_CONFIG // commander has said it
  const { sentences, exitCode } = explain(error)
  process.stderr.write(`${sentences.join('\n')}\n`)
  return exitCode
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    return value
  }
}

function positive(text: string): number {
  const value = /^\d{1,4}(\.\d{1,4})?$/.test(text) ? Number(text) : Number.NaN
  if (!(value > 0)) throw new InvalidArgumentError('It must be a positive number such as 0.5 or 20.')
  return value
}

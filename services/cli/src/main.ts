import { assertNode, EXIT_CONFIG } from '@booktape/runtime'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import type { BackfillCommand } from './backfill.ts'
import { completionScript, SHELLS, type Shell } from './completion.ts'
import type { ExchangeOptions } from './exchange.ts'
import { explain } from './explain.ts'
import type { ExportOptions } from './export.ts'
import type { SourceOptions } from './recording-source.ts'
import type { ReplayOptions } from './replay.ts'
import { addSpanOptions, type SpanOptions } from './span.ts'
import type { VerifyOptions } from './verify.ts'
import { VERSION } from './version.ts'

const ARCHIVE_PLACE = 'an archive, a folder or s3://bucket/prefix'
const ARCHIVE_INSTEAD = `read from ${ARCHIVE_PLACE}, instead of the database, of which none is needed then`

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
  .addHelpText('after', examples('booktape start', 'booktape start --live btcusd solusd'))
  .action(async (symbols: string[], options: { live?: boolean }) => {
    const { start } = await import('./start.ts')
    await start({ symbols, live: options.live === true })
  })

program
  .command('record')
  .description('one recorder, configured by the environment alone (docs/configuration.md)')
  .addHelpText('after', examples('BOOKTAPE_SYMBOLS=btcusd,ethusd booktape record'))
  .action(async () => {
    const { recordFromEnvironment } = await import('./record.ts')
    await recordFromEnvironment()
  })

program
  .command('account')
  .description('what an account is offered and does, written down; nothing is ever executed (docs/account.md)')
  .addHelpText('after', examples('BOOKTAPE_INSTANT_QUOTES=btcusd:buy:100,btcusd:sell:0.01 booktape account'))
  .action(async () => {
    const { accountFromEnvironment } = await import('./account.ts')
    await accountFromEnvironment()
  })

program
  .command('migrate')
  .description("bring the database of DATABASE_URL to this version's tables and functions")
  .option('--json', 'for programs')
  .addHelpText('after', examples('booktape migrate', 'booktape migrate --json'))
  .action(async (options: { json?: boolean }) => {
    const { migrateFromEnvironment } = await import('./migrate.ts')
    await migrateFromEnvironment(options.json === true)
  })

program
  .command('handover')
  .description('wait until the other line (BOOKTAPE_PEER_URL) is ready: what runs before a recorder of two is stopped')
  .addHelpText('after', examples('booktape handover'))
  .action(async () => {
    const { handoverFromEnvironment } = await import('./handover.ts')
    await handoverFromEnvironment()
  })

program
  .command('status')
  .description(
    'what is live, missing and late: of the database of DATABASE_URL or of a running npm start, and of its recorder',
  )
  .option('--watch', 'again every two seconds, until Ctrl-C')
  .option('--json', 'for programs; with --watch an object a line')
  .addHelpText('after', examples('booktape status', 'booktape status --watch', 'booktape status --json'))
  .action(async (options: { json?: boolean; watch?: boolean }) => {
    const { status } = await import('./status.ts')
    await status({ json: options.json === true, watch: options.watch === true })
  })

program
  .command('retention')
  .description('drop the days of books and quotes that are older than is kept; as the owner of the tables')
  .option('--keep <days>', 'such as 90d; BOOKTAPE_RETENTION if not given')
  .option('--dry-run', 'only say what would be dropped, and how much that would free')
  .option('--json', 'for programs')
  .addHelpText('after', examples('booktape retention --keep 90d --dry-run', 'booktape retention --keep 90d'))
  .action(async (options: { keep?: string; dryRun?: boolean; json?: boolean }) => {
    const { retention } = await import('./retention.ts')
    const { keep, dryRun = false, json = false } = options
    await retention({ ...(keep === undefined ? {} : { keep }), dryRun, json })
  })

program
  .command('archive')
  .description('write the days that are over to Parquet files, each verified before it is published (docs/archive.md)')
  .argument('[place]', 'a folder or s3://bucket/prefix; BOOKTAPE_ARCHIVE if not given')
  .option('--from <day>', 'the first day, such as 2026-03-01; all if not given')
  .option('--to <day>', 'the last day')
  .option('--again', 'write also the days that are there, such as those with a damaged file')
  .option('--json', 'for programs')
  .addHelpText('after', examples('booktape archive tape', 'booktape archive s3://tape/gemini --from 2026-03-01'))
  .action(
    async (place: string | undefined, options: { from?: string; to?: string; again?: boolean; json?: boolean }) => {
      const { archive } = await import('./archive.ts')
      const { again = false, json = false, ...days } = options
      await archive(place, { ...days, again, json })
    },
  )

program
  .command('query')
  .description('one read-only SQL query, to DATABASE_URL or to the database of a running npm start')
  .argument('<sql>', 'such as "select * from market.book_at(\'btcusd\', now(), 5)"')
  .option('--json', 'a JSON object a line')
  .addHelpText(
    'after',
    examples(
      `booktape query "select * from market.book_at('btcusd', '2026-03-01 10:00:15Z', 5)"`,
      `booktape query --json "select * from market.trades where symbol = 'btcusd' order by event_time desc limit 10"`,
    ),
  )
  .action(async (sql: string, options: { json?: boolean }) => {
    const { query } = await import('./query.ts')
    await query(sql, options.json === true)
  })

// A recorder on the same address asks REST at most once a second, and dials: the three stay below what the venue allows one
// address (docs/gemini.md, claim 25).
program
  .command('backfill')
  .description(
    'fetch from the REST of the exchange the trades that are not stored, and close the gaps that are filled by it',
  )
  .argument('[symbols...]', 'such as btcusd ethusd')
  .option('--symbols <list>', 'the same, comma separated')
  .option(
    '--from <time>',
    'such as 2026-03-01, 2026-03-01T10:00:00Z, or 7d: that long ago; as far as REST reaches if not given',
  )
  .option('--to <time>', 'the end, not included; now if not given')
  .option(
    '--requests-per-minute <count>',
    'how fast REST is asked; the exchange allows 120 from one address, recorders and all',
    wholeNumber(1, 100),
    30,
  )
  .option('--dry-run', 'only say what is missing; asks the exchange nothing')
  .option('--json', 'a JSON object a symbol')
  .addHelpText(
    'after',
    examples(
      'booktape backfill btcusd ethusd --from 7d --dry-run',
      'booktape backfill --symbols btcusd,ethusd --from 7d',
    ),
  )
  .action(async (symbols: string[], options: BackfillCommand) => {
    const { backfillTrades } = await import('./backfill.ts')
    await backfillTrades(symbols, options)
  })

addSpanOptions(
  program
    .command('verify')
    .description('whether what is stored is what was recorded: every row, every book, every id. Exit code 1 if not'),
)
  .option('--line <line>', 'one line only; all if not given')
  .option(
    '--archive <place>',
    `${ARCHIVE_PLACE}: verify its files instead, and what the database, if there is one, has noted of them`,
  )
  .option('--json', 'a JSON object a finding, and one for the report')
  .addHelpText(
    'after',
    examples(
      'booktape verify',
      'booktape verify btcusd --from 2026-03-01 --to 2026-03-02 --json',
      'booktape verify --archive tape',
    ),
  )
  .action(async (symbols: string[], options: VerifyOptions) => {
    const { verifyRecording } = await import('./verify.ts')
    await verifyRecording(symbols, options)
  })

addSpanOptions(
  program
    .command('export')
    .description(
      'a recording as files that other tools read, from DATABASE_URL or the database of a running npm start',
    ),
)
  .requiredOption('--format <format>', 'tardis, hftbacktest, nautilus, databento, csv or ndjson (docs/exports.md)')
  .requiredOption('--out <directory>', 'where the files go; - for standard output, where one text file is asked for')
  .option('--data <list>', 'some of what the format has, comma separated, such as trades,quotes; all if not given')
  .option('--shift <duration>', 'hftbacktest: added to every receive time, such as 60ms', '0ms')
  .option(
    '--instants <count>',
    'for how many instants a day the manifest gives the digest of the book',
    wholeNumber(0, 100_000),
    96,
  )
  .option('--archive <place>', ARCHIVE_INSTEAD)
  .option('--json', 'for programs')
  .addHelpText(
    'after',
    examples(
      'booktape export btcusd --from 2026-03-01 --to 2026-03-08 --format tardis --out tardis',
      'booktape export btcusd --from 2026-03-01 --to 2026-03-02 --format hftbacktest --out npz --shift 60ms',
      'booktape export btcusd --from 2026-03-01 --to 2026-03-02 --format tardis --out tardis-again --archive tape',
      'booktape export btcusd --from 2026-03-01 --to 2026-03-02 --format csv --data trades --out - | head',
    ),
  )
  .action(async (symbols: string[], options: ExportOptions) => {
    const { exportRecording } = await import('./export.ts')
    await exportRecording(symbols, options)
  })

addSpanOptions(
  program
    .command('replay')
    .description('a recording once more: as lines of JSON, or as the venue served it (docs/replay.md)'),
)
  .option('--clock <clock>', 'received or exchange: whose time orders and paces what is replayed', 'received')
  .option(
    '--pace <pace>',
    'recorded, full, or how many times faster, such as 60; full if not given, with --serve recorded',
  )
  .option('--only <what>', 'books or trades, if not both; not with --serve')
  .option('--serve <port>', "serve Gemini's own protocols on this port instead", wholeNumber(0, 65_535))
  .option('--host <address>', 'where it listens', '127.0.0.1')
  .option('--no-wait', 'with --serve: begin with the first client, and wait for none')
  .option('--stay', 'with --serve: keep the connections when all has been replayed')
  .option('--archive <place>', ARCHIVE_INSTEAD)
  .addHelpText(
    'after',
    examples(
      'booktape replay btcusd --from 2026-03-01T10:00Z --to 2026-03-01T10:05Z | head -3',
      'booktape replay btcusd --from 2026-03-01T10:00Z --to 2026-03-01T10:05Z --serve 9466 --pace 10',
      'booktape replay btcusd --from 2026-03-01T10:00Z --to 2026-03-01T10:05Z --archive tape | head -3',
    ),
  )
  .action(async (symbols: string[], options: SpanOptions & SourceOptions & ReplayOptions) => {
    const { replay } = await import('./replay.ts')
    await replay(symbols, options)
  })

program
  .command('exchange')
  .description('the simulated Gemini: both feeds, REST, and faults on request')
  .option('--port <port>', 'where it listens', wholeNumber(0, 65_535), 9465)
  .option('--seed <seed>', 'the same seed gives the same market', wholeNumber(0, 2 ** 31 - 1), 42)
  .option('--rate <factor>', 'how many times as busy as the real one', positive, 1)
  .option('--symbols <list>', 'comma separated; all it knows if not given', '')
  .option('--json', 'its addresses as one JSON object')
  .addHelpText(
    'after',
    examples('booktape exchange --port 9465 --seed 7 --symbols btcusd,ethusd', 'booktape exchange --port 0 --json'),
  )
  .action(async (options: ExchangeOptions) => {
    const { exchange } = await import('./exchange.ts')
    await exchange(options)
  })

program
  .command('completion')
  .description('what a shell needs to complete commands and options')
  .argument('<shell>', SHELLS.join(', '), oneShell)
  .addHelpText('after', examples('source <(booktape completion bash)', 'booktape completion fish | source'))
  .action((shell: Shell) => {
    process.stdout.write(completionScript(program, shell))
  })

// The kernel gives the first process of a container no signal that nobody listens for: here it ends a command that does not listen
// itself, as it does everywhere else.
if (process.pid === 1) {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(code)
    })
  }
}

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

function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`
}

function oneShell(text: string): Shell {
  const shell = SHELLS.find((name) => name === text)
  if (shell === undefined) throw new InvalidArgumentError(`It must be one of ${SHELLS.join(', ')}.`)
  return shell
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

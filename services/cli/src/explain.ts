import { ConfigError, EXIT_CONFIG } from '@booktape/runtime'

/** What a failed command says, one sentence a problem, and the code it ends with. */
export type Explanation = Readonly<{ sentences: readonly string[]; exitCode: number }>

/** Exit code of a command that failed for a reason of its own. */
export const EXIT_FAILED = 1

/** Sentences for what the operator can mend; the whole story for what only we can. */
export function explain(error: unknown): Explanation {
  if (error instanceof ConfigError) return { sentences: error.problems, exitCode: EXIT_CONFIG }
  if (!(error instanceof Error)) return { sentences: [String(error)], exitCode: EXIT_FAILED }
  if (!EXPECTED.has(error.name)) return { sentences: [error.stack ?? error.message], exitCode: EXIT_FAILED }
  return { sentences: [named(error)], exitCode: isConfiguration(error) ? EXIT_CONFIG : EXIT_FAILED }
}

/** Errors whose message is a sentence for the operator. By name: a command loads only the packages it uses. */
const EXPECTED: ReadonlySet<string> = new Set([
  'AdminServerError',
  'ArchiveError',
  'BackfillError',
  'EmbeddedError',
  'HandoverError',
  'ExportError',
  'JournalError',
  'MigrationError',
  'QueryError',
  'ReplayError',
  'StoreError',
  'WrongDatabaseError',
])

function isConfiguration(error: Error): boolean {
  if (error.name === 'WrongDatabaseError') return true
  if (!('code' in error)) return false
  if (error.name === 'BackfillError') return error.code === 'WRONG_DATABASE'
  if (error.name === 'ArchiveError') return error.code === 'BAD_PLACE'
  return error.name === 'StoreError' && error.code === 'BAD_URL'
}

/** What Postgres says does not tell where its address came from. */
function named(error: Error): string {
  const isNamed = error.name !== 'StoreError' || error.message.includes('DATABASE_URL')
  return isNamed ? error.message : `DATABASE_URL: ${error.message}`
}

import { InvariantError } from '@booktape/market'
import { DatabaseError } from 'pg'
import { StoreError, type StoreProblem } from './store-error.ts'

/** Why a batch was not stored this time. A closed set: it labels a metric. */
export const RETRY_CLASSES = [
  'connection_lost',
  'unreachable',
  'starting_up',
  'shutting_down',
  'too_many_clients',
  'read_only',
  'deadlock',
  'serialization',
  'lock_timeout',
  'timeout',
  'disk_full',
  'out_of_memory',
  'server_fault',
] as const
export type RetryClass = (typeof RETRY_CLASSES)[number]

export type Retry = Readonly<{ outcome: 'retry'; class: RetryClass; reason: string }>

/**
 * What a failed query or connection asks for: a value to try again on, or a throw.
 *
 * @throws StoreError for what trying again cannot mend; errors that are not the database's are thrown as they are.
 */
export function readFailure(error: unknown): Retry {
  if (error instanceof StoreError || error instanceof InvariantError || !(error instanceof Error)) throw error
  const code = codeOf(error)
  const retryClass = retryClassOf(error, code)
  if (retryClass !== null) return { outcome: 'retry', class: retryClass, reason: sentence(error, code) }
  const [problem, remedy] = problemOf(error, code)
  throw new StoreError(problem, `${sentence(error, code)}: ${remedy}`, { cause: error })
}

/** Runs a query for a caller that has no retry value to give: `AWAY` instead. Throws `StoreError`. */
export async function orStoreError<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query()
  } catch (error) {
    throw new StoreError('AWAY', `${readFailure(error).reason}: try again later`, { cause: error })
  }
}

function retryClassOf(error: Error, code: string): RetryClass | null {
  if (isOfPooler(error)) return POOLER_REFUSES.test(error.message) ? null : 'connection_lost'
  if (error instanceof DatabaseError) {
    const exact = SQLSTATES.get(code)
    return exact === undefined ? (SQLSTATE_FAMILIES.get(code.slice(0, 2)) ?? null) : exact
  }
  return NODE_CODES.get(code) ?? MESSAGES.get(error.message) ?? null
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html; `null` where a code differs from its family. */
const SQLSTATES: ReadonlyMap<string, RetryClass | null> = new Map([
  ['08P01', null], // looks like a connection error and is a mistake of ours: retried, it would fail for ever
  ['57P01', 'shutting_down'],
  ['57P02', 'shutting_down'],
  ['57P03', 'starting_up'],
  ['57P05', 'connection_lost'],
  ['57014', 'timeout'],
  ['53100', 'disk_full'],
  ['53200', 'out_of_memory'],
  ['53300', 'too_many_clients'],
  ['25006', 'read_only'],
  ['25P03', 'timeout'],
  ['25P04', 'timeout'],
  ['40P01', 'deadlock'],
  ['40001', 'serialization'],
  ['40003', 'connection_lost'],
  ['55P03', 'lock_timeout'],
])

const SQLSTATE_FAMILIES: ReadonlyMap<string, RetryClass> = new Map([
  ['08', 'connection_lost'],
  ['53', 'server_fault'],
  ['58', 'server_fault'], // a file could not be read or written
])

const NODE_CODES: ReadonlyMap<string, RetryClass> = new Map([
  ['ECONNREFUSED', 'unreachable'],
  ['ENOENT', 'unreachable'], // the Unix socket is not there
  ['ENOTFOUND', 'unreachable'],
  ['EAI_AGAIN', 'unreachable'],
  ['EHOSTUNREACH', 'unreachable'],
  ['ENETUNREACH', 'unreachable'],
  ['EHOSTDOWN', 'unreachable'],
  ['ECONNRESET', 'connection_lost'],
  ['ECONNABORTED', 'connection_lost'],
  ['EPIPE', 'connection_lost'],
  ['ETIMEDOUT', 'connection_lost'],
])

/** pg gives these without a code. */
const MESSAGES: ReadonlyMap<string, RetryClass> = new Map([
  ['Connection terminated unexpectedly', 'connection_lost'],
  ['Connection terminated', 'connection_lost'],
  ['Client has encountered a connection error and is not queryable', 'connection_lost'],
  ['Connection terminated due to connection timeout', 'unreachable'],
  ['timeout exceeded when trying to connect', 'unreachable'],
  ['timeout expired', 'unreachable'],
  ['Query read timeout', 'timeout'],
])

function problemOf(error: Error, code: string): readonly [StoreProblem, string] {
  if (!(error instanceof DatabaseError)) {
    return TLS_FAILURE.test(`${code} ${error.message}`)
      ? ['TLS', "use a certificate for the host's name, name its authority with sslrootcert, or choose an sslmode"]
      : ['UNEXPECTED', 'report this as a defect']
  }
  if (isOfPooler(error))
    return ['REFUSED', 'check user and password of DATABASE_URL, and the users and databases of PgBouncer']
  if (code === '08P01') return ['PROTOCOL', 'report this as a defect; a retry would fail in the same way']
  if (code.startsWith('28')) return ['REFUSED', 'check user and password of DATABASE_URL, and pg_hba.conf']
  if (code === '3D000') return ['REFUSED', 'create the database, or correct its name in DATABASE_URL']
  if (code === '42501') return ['REFUSED', 'grant the user of DATABASE_URL its rights on the schema booktape']
  if (code.startsWith('42') || code === '3F000') return ['SCHEMA', 'run booktape migrate']
  if (hasNoPartition(error)) return ['SCHEMA', 'attach the default partition again, or make one for that day']
  if (isUnstorable(error)) return ['UNSTORABLE', 'report this as a defect, with the value']
  return ['UNEXPECTED', 'report this as a defect']
}

/**
 * PgBouncer gives everything it has to say this code: that it shuts down, that it cannot reach the server, that it has no room,
 * that it knows no such user. It names no place in a source file, as Postgres always does.
 */
function isOfPooler(error: Error): boolean {
  return error instanceof DatabaseError && error.code === '08P01' && error.routine === undefined
}

const POOLER_REFUSES = /authentication failed|does not exist|no such (user|database)|not allowed/i

/** Postgres refused a value or a row (SQLSTATE 22xxx, 23xxx): given again, it is refused again. */
export function isUnstorable(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && /^2[23]/.test(error.code ?? '') && !hasNoPartition(error)
}

/** A row without a place (23514 too) is as good as any: it waits until it has one. */
function hasNoPartition(error: DatabaseError): boolean {
  return error.routine === 'ExecFindPartition'
}

const TLS_FAILURE = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)|does not support SSL/

function sentence(error: Error, code: string): string {
  const table = error instanceof DatabaseError && error.table !== undefined ? ` on table ${error.table}` : ''
  return `Postgres: ${error.message}${table}${code === '' ? '' : ` (${code})`}`
}

/** SQLSTATE, or node's code; a failed dial of several addresses carries the code of its last error. */
function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code
  if (error instanceof AggregateError) {
    const last: unknown = error.errors.at(-1)
    if (last instanceof Error) return codeOf(last)
  }
  return ''
}

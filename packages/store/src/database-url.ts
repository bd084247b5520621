import type { ConnectionOptions } from 'node:tls'
import { parseIntoClientConfig } from 'pg-connection-string'
import { StoreError } from './store-error.ts'

/** Where and how to connect; what a `postgres://` URL means to booktape. */
export type Connection = Readonly<{
  host: string
  port: number
  user: string | undefined
  password: string | undefined
  database: string | undefined
  ssl: false | ConnectionOptions
}>

export const DEFAULT_PORT = 5432

/** What reads settings (packages/runtime), as far as it is needed here. */
type Settings = Readonly<{ secret(name: string): string | null; problem(sentence: string): void }>

/** DATABASE_URL, or null where there is none. */
export function readDatabaseSetting(read: Settings): string | null {
  const text = read.secret('DATABASE_URL')
  if (text === null) return null
  const protocol = URL.parse(text)?.protocol
  if (protocol === 'postgres:' || protocol === 'postgresql:') return text
  read.problem('DATABASE_URL must look like postgres://user:password@host:5432/database.')
  return null
}

/**
 * Reads `postgres://user:password@host:port/database?…`; a Unix socket is `?host=/folder`.
 *
 * Encryption, by `sslmode`:
 *
 *   absent       none for a loopback address or a Unix socket, else as verify-full
 *   verify-full  TLS, certificate and name proven (authority: `sslrootcert`, else the system's)
 *   verify-ca    TLS, certificate proven, any name
 *   require      TLS, nothing proven: whoever can redirect the connection can read it
 *   disable      none: whoever is on the way can read it
 *
 * `prefer` and `allow` are refused: they go without TLS in silence.
 *
 * @throws StoreError `BAD_URL`; the message never holds the password.
 */
export function readDatabaseUrl(url: string): Connection {
  const mode = /[?&]sslmode=([^&#]*)/.exec(url)?.[1]
  const config = parsed(url.replace(/([?&])sslmode=[^&#]*&?/, '$1'))
  const host = config.host === undefined || config.host === '' ? 'localhost' : config.host
  return {
    host,
    port: config.port ?? DEFAULT_PORT,
    user: emptyToUndefined(config.user),
    password: typeof config.password === 'string' ? emptyToUndefined(config.password) : undefined,
    database: emptyToUndefined(config.database),
    ssl: encryption(mode, host, typeof config.ssl === 'object' ? config.ssl : {}),
  }
}

/** The URL for a log line: the password, wherever it stands, is replaced. */
export function redactDatabaseUrl(url: string): string {
  if (!URL.canParse(url) && !URL.canParse(url.replace('@/', '@localhost/'))) return '(unreadable database URL)'
  return url.replace(/(\/\/[^:@/?#]*):[^/]*@/, '$1:***@').replace(/([?&](?:ssl)?password=)[^&#]*/g, '$1***')
}

function parsed(url: string): ReturnType<typeof parseIntoClientConfig> {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new StoreError('BAD_URL', 'the database URL does not begin with postgres://: correct DATABASE_URL')
  }
  try {
    return parseIntoClientConfig(url)
  } catch (error) {
    // The parser's own message may hold the URL, so it is not passed on, but for a file it could not read.
    const file = error instanceof Error && 'path' in error ? ` (${error.message})` : ''
    throw new StoreError('BAD_URL', `the database URL cannot be read${file}: correct DATABASE_URL`)
  }
}

function encryption(mode: string | undefined, host: string, files: ConnectionOptions): false | ConnectionOptions {
  switch (mode) {
    case undefined:
      return isLocal(host) ? false : { ...files, rejectUnauthorized: true }
    case 'disable':
      return false
    case 'require':
      return { ...files, rejectUnauthorized: false }
    case 'verify-ca':
      return { ...files, rejectUnauthorized: true, checkServerIdentity: () => undefined }
    case 'verify-full':
      return { ...files, rejectUnauthorized: true }
    default:
      throw new StoreError(
        'BAD_URL',
        `sslmode=${mode} in the database URL is not usable: choose verify-full, verify-ca, require or disable`,
      )
  }
}

function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function emptyToUndefined(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

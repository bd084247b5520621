import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Answer, Clock, Question } from '@booktape/runtime'
import { readStatusFiles, type StatusFile } from './status-files.ts'
import type { CoverageLook, Overview, SymbolLook } from './status-wire.ts'

/** What the page shows, made when somebody looks. */
export type StatusLooks = Readonly<{
  overview(): Overview
  coverage(): CoverageLook
  /** Null for a book that is not recorded here. */
  symbol(book: Readonly<{ symbol: string; feed: string }>): SymbolLook | null
}>

/** However many look, a look is made at most this often: who asks within it gets the same bytes. */
export const LOOK_AGE_MS = 500
/** 25 viewers, who ask for two looks a second each. Who comes in addition is told to wait, which costs nothing. */
export const MAX_LOOKS_PER_SECOND = 50

const JSON_TYPE = 'application/json; charset=utf-8'
const NS_PER_MS = 1_000_000n
const compress = promisify(gzip)

type Made = Readonly<{ file: CompressedFile; untilNs: bigint }>

/**
 * The status page: `GET /` is the page itself, and what it loads and shows comes from the same path (contract, section 4):
 *
 *   /?file=…            one of its scripts and styles
 *   /?overview          the recorder and all its books
 *   /?symbol=…&feed=…   one book in depth
 *   /?coverage          the last day of every book
 */
export function statusPage(looks: StatusLooks, clock: Clock): (question: Question) => Promise<Answer> {
  const made = new Map<string, Made>()
  const allowance = new Allowance(MAX_LOOKS_PER_SECOND, clock)
  let files: ReturnType<typeof loadFiles> | null = null

  return async (question) => {
    const { query } = question
    const look = lookAskedFor(query)
    if (look !== null) {
      if (!allowance.take()) return TOO_MANY
      return (await lookAt(look)?.answer(question)) ?? NOT_RECORDED
    }
    files ??= loadFiles()
    const { page, byName, headers } = await files
    const name = query.get('file')
    const file = name === null ? page : byName.get(name)
    if (file === undefined) return { status: 404, contentType: 'text/plain; charset=utf-8', body: 'no such file\n' }
    return await file.answer(question, headers)
  }

  function lookAt(look: Look): CompressedFile | null {
    const nowNs = clock.monoNs()
    const known = made.get(look.key)
    if (known !== undefined && nowNs < known.untilNs) return known.file
    for (const [key, { untilNs }] of made) if (untilNs <= nowNs) made.delete(key)
    const value = look.make(looks)
    if (value === null) return null
    const file = new CompressedFile({ contentType: JSON_TYPE, body: JSON.stringify(value) })
    made.set(look.key, { file, untilNs: nowNs + BigInt(LOOK_AGE_MS) * NS_PER_MS })
    return file
  }
}

type Look = Readonly<{ key: string; make: (looks: StatusLooks) => Overview | CoverageLook | SymbolLook | null }>

function lookAskedFor(query: URLSearchParams): Look | null {
  if (query.has('overview')) return { key: 'overview', make: (looks) => looks.overview() }
  if (query.has('coverage')) return { key: 'coverage', make: (looks) => looks.coverage() }
  const symbol = query.get('symbol')
  const feed = query.get('feed') ?? ''
  return symbol === null ? null : { key: `symbol ${feed} ${symbol}`, make: (looks) => looks.symbol({ symbol, feed }) }
}

const TOO_MANY: Answer = {
  status: 503,
  contentType: 'text/plain; charset=utf-8',
  body: 'too many look at this page: ask again in a second\n',
  headers: { 'retry-after': '1' },
}
const NOT_RECORDED: Answer = {
  status: 404,
  contentType: 'text/plain; charset=utf-8',
  body: 'this recorder does not record that\n',
}

async function loadFiles() {
  const { page, files, contentSecurityPolicy } = await readStatusFiles()
  const byName = new Map([...files].map(([name, file]) => [name, new CompressedFile(file)]))
  const headers = { 'content-security-policy': contentSecurityPolicy, 'referrer-policy': 'no-referrer' }
  return { page: new CompressedFile(page), byName, headers }
}

/** Compressed once, when the first asks who can read it so. */
class CompressedFile {
  readonly #file: StatusFile
  #compressed: Promise<Uint8Array> | null = null

  constructor(file: StatusFile) {
    this.#file = file
  }

  async answer({ acceptsGzip }: Question, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const { contentType, body } = this.#file
    if (!acceptsGzip) return { status: 200, contentType, body, headers }
    this.#compressed ??= compress(body)
    const packed = { ...headers, 'content-encoding': 'gzip', vary: 'accept-encoding' }
    return { status: 200, contentType, body: await this.#compressed, headers: packed }
  }
}

/** So many of something in a second. */
class Allowance {
  readonly #most: number
  readonly #clock: Clock
  #endsNs = 0n
  #left = 0

  constructor(most: number, clock: Clock) {
    this.#most = most
    this.#clock = clock
  }

  take(): boolean {
    const nowNs = this.#clock.monoNs()
    if (nowNs >= this.#endsNs) {
      this.#endsNs = nowNs + 1_000n * NS_PER_MS
      this.#left = this.#most
    }
    if (this.#left === 0) return false
    this.#left--
    return true
  }
}

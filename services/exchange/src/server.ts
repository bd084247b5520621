import type { IncomingMessage } from 'node:http'
import { type RestAnswer, refusalFor, startVenueServer } from '@booktape/venue'
import type { ApiKey } from './api-keys.ts'
import { controlAnswer, MAX_CONTROL_BODY_BYTES } from './control.ts'
import { Exchange } from './exchange.ts'
import type { SymbolSpec } from './symbols.ts'

export type ExchangeServerOptions = Readonly<{
  seed: number
  symbols: readonly SymbolSpec[]
  rate?: number // multiplies how often anything happens
  rememberedChanges?: number
  keys?: readonly ApiKey[]
  port: number // 0: a free one
  host?: string // 127.0.0.1 unless told; /control answers loopback clients only
  clock: Readonly<{ wallNs(): bigint }>
}>

export type ExchangeServer = Readonly<{
  url: string // http://host:port
  v1Url: string // the base of each API, as a recorder is told
  wsUrl: string
  restUrl: string
  controlUrl: string
  exchange: Exchange
  stop(): Promise<void>
}>

/** How often the exchange is moved to the present: well below the 100 ms of the fastest gathered stream. */
const TICK_MS = 20

/** After a longer pause, as of a sleeping laptop, the markets go on from now instead of living through it. */
const MAX_CATCH_UP_NS = 10_000_000_000n

/** The exchange on one port: both feeds, REST, and /control for faults and the truth. */
export async function startExchangeServer(options: ExchangeServerOptions): Promise<ExchangeServer> {
  const { clock, port, host = '127.0.0.1', ...market } = options
  const exchange = new Exchange({ ...market, startNs: clock.wallNs() })
  const moveToPresent = (): void => {
    const wallNs = clock.wallNs()
    if (wallNs - exchange.nowNs > MAX_CATCH_UP_NS) exchange.skipTo(wallNs)
    exchange.advanceTo(wallNs)
  }
  const server = await startVenueServer(
    {
      moveToPresent,
      connectV1: (symbol, query) => exchange.connectV1(symbol, query),
      connectWs: (query, headers) => exchange.connectWs(query, headers),
      connectOrderEvents: (query, headers) => exchange.connectOrderEvents(query, headers),
      answer: (request, path, query) => answerOf(exchange, request, path, query),
    },
    { port, host },
  )
  const tick = setInterval(() => {
    moveToPresent()
    server.flush()
  }, TICK_MS)
  const { url, v1Url, wsUrl, restUrl } = server
  return {
    url,
    v1Url,
    wsUrl,
    restUrl,
    controlUrl: `${url}/control`,
    exchange,
    stop: async () => {
      clearInterval(tick)
      await server.stop()
    },
  }
}

async function answerOf(
  exchange: Exchange,
  request: IncomingMessage,
  path: string,
  query: URLSearchParams,
): Promise<RestAnswer> {
  const method = request.method ?? 'GET'
  if (!path.startsWith('/control')) {
    if (method === 'POST') return exchange.privateRest(path, request.headers)
    return exchange.rest(method, path, query)
  }
  if (!isLoopback(request.socket.remoteAddress)) return refusalFor(403, null)
  return controlAnswer(exchange, method, path, query, await bodyOf(request))
}

/** Null when it is longer than a request may be, or was cut off. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      bytes += part.length
      if (bytes > MAX_CONTROL_BODY_BYTES) return null
      parts.push(part)
    }
  } catch {
    return null // the client went away in the middle; nobody reads the answer
  }
  return Buffer.concat(parts).toString('utf8')
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(address)
}

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { invariant } from '@booktape/market'
import { WebSocketServer } from 'ws'
import type { ApiKey } from './api-keys.ts'
import { controlAnswer, MAX_CONTROL_BODY_BYTES } from './control.ts'
import { Exchange } from './exchange.ts'
import { Line, refuse } from './line.ts'
import { refusalFor } from './refusals.ts'
import type { RestAnswer } from './rest.ts'
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

/** The venue pings every ws connection this often (docs/gemini.md, section 2.8). */
const PING_MS = 20_000

/** After a longer pause, as of a sleeping laptop, the markets go on from now instead of living through it. */
const MAX_CATCH_UP_NS = 10_000_000_000n

/** A client's request; the largest names every stream of every symbol. */
const MAX_REQUEST_BYTES = 1_048_576

/** Enough for several recorders of all symbols. */
const MAX_HTTP_CONNECTIONS = 4_096

/** The exchange on one port: both feeds, REST, and /control for faults and the truth. */
export async function startExchangeServer(options: ExchangeServerOptions): Promise<ExchangeServer> {
  const { clock, port, host = '127.0.0.1', ...market } = options
  const exchange = new Exchange({ ...market, startNs: clock.wallNs() })
  const lines = new Set<Line>()
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    autoPong: false, // a half-open connection answers nothing
    maxPayload: MAX_REQUEST_BYTES,
  })

  const moveToPresent = (): void => {
    const wallNs = clock.wallNs()
    if (wallNs - exchange.nowNs > MAX_CATCH_UP_NS) exchange.skipTo(wallNs)
    exchange.advanceTo(wallNs)
  }
  const flush = (): void => {
    for (const line of lines) if (!line.flush()) lines.delete(line)
  }

  const server = createServer((request, response) => {
    moveToPresent()
    void answer(exchange, request, response).finally(flush)
  })
  server.maxConnections = MAX_HTTP_CONNECTIONS
  server.on('upgrade', (request, socket, head) => {
    moveToPresent()
    const connection = connect(exchange, request)
    if ('status' in connection) return refuse(socket, connection)
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const line = new Line(connection, webSocket, moveToPresent)
      lines.add(line)
      line.flush()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve)
  })

  const tick = setInterval(() => {
    moveToPresent()
    flush()
  }, TICK_MS)
  const ping = setInterval(() => {
    for (const line of lines) line.ping()
  }, PING_MS)

  const address = server.address()
  invariant(address !== null && typeof address === 'object', 'a listening server has a port')
  const authority = `${host.includes(':') ? `[${host}]` : host}:${address.port}`
  return {
    url: `http://${authority}`,
    v1Url: `ws://${authority}`,
    wsUrl: `ws://${authority}`,
    restUrl: `http://${authority}`,
    controlUrl: `http://${authority}/control`,
    exchange,
    stop: async () => {
      clearInterval(tick)
      clearInterval(ping)
      for (const line of lines) line.cut()
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

function connect(exchange: Exchange, request: IncomingMessage): ReturnType<Exchange['connectV1' | 'connectWs']> {
  const { pathname, searchParams } = urlOf(request)
  const [, symbol] = /^\/v1\/marketdata\/([^/]+)$/.exec(pathname) ?? []
  if (symbol !== undefined) return exchange.connectV1(symbol, searchParams)
  return pathname === '/' ? exchange.connectWs(searchParams) : refusalFor(404, null)
}

async function answer(exchange: Exchange, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const given = await answerOf(exchange, request)
  response.writeHead(given.status, { ...given.headers, 'content-length': Buffer.byteLength(given.body).toString() })
  response.end(request.method === 'HEAD' ? '' : given.body)
}

async function answerOf(exchange: Exchange, request: IncomingMessage): Promise<RestAnswer> {
  const { pathname, searchParams } = urlOf(request)
  const method = request.method ?? 'GET'
  if (!pathname.startsWith('/control')) {
    if (method === 'POST') return exchange.privateRest(pathname, request.headers)
    return exchange.rest(method, pathname, searchParams)
  }
  if (!isLoopback(request.socket.remoteAddress)) return refusalFor(403, null)
  return controlAnswer(exchange, method, pathname, searchParams, await bodyOf(request))
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

function urlOf(request: IncomingMessage): URL {
  return URL.parse(request.url ?? '/', 'http://exchange') ?? new URL('http://exchange/')
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(address)
}

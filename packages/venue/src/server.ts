import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { invariant } from '@booktape/market'
import { WebSocketServer } from 'ws'
import type { Connection } from './connection.ts'
import type { Refusal } from './frames.ts'
import { Line, refuse } from './line.ts'
import { refusalFor } from './refusals.ts'
import type { RestAnswer } from './rest.ts'

/** What is served: a venue without sockets. */
export type ServedVenue = Readonly<{
  /** Called before anything is asked of the venue, so that its answer is of now. */
  moveToPresent(): void
  connectV1(symbol: string, query: URLSearchParams): Connection | Refusal
  /** The headers of the upgrade may be signed. */
  connectWs(query: URLSearchParams, headers: IncomingHttpHeaders): Connection | Refusal
  /** `/v1/order/events`, where the venue has accounts. */
  connectOrderEvents?(query: URLSearchParams, headers: IncomingHttpHeaders): Connection | Refusal
  answer(request: IncomingMessage, path: string, query: URLSearchParams): RestAnswer | Promise<RestAnswer>
}>

export type VenueServer = Readonly<{
  url: string // http://host:port
  /** The bases of both feeds and of REST, as a client is told. */
  v1Url: string
  wsUrl: string
  restUrl: string
  /** Sends what waits on every connection. */
  flush(): void
  /** The most that waits for any one client to read. */
  unsentBytes(): number
  stop(): Promise<void>
}>

/** The venue pings every ws connection this often (docs/gemini.md, claim 10). */
const PING_MS = 20_000

/** A client's request; the largest names every stream of every symbol. */
const MAX_REQUEST_BYTES = 1_048_576

/** A client that does not answer a close is cut off after this, so that a stop waits for nobody. */
const CLOSE_MS = 5_000

/** Enough for several recorders of all symbols. */
const MAX_HTTP_CONNECTIONS = 4_096

/** Both feeds and REST on one port; 0 for a free one. */
export async function startVenueServer(
  venue: ServedVenue,
  { port, host = '127.0.0.1' }: Readonly<{ port: number; host?: string }>,
): Promise<VenueServer> {
  const lines = new Set<Line>()
  const options = {
    noServer: true,
    perMessageDeflate: false,
    autoPong: false, // a half-open connection answers nothing
    maxPayload: MAX_REQUEST_BYTES,
    closeTimeout: CLOSE_MS, // its types do not know it yet
  }
  const sockets = new WebSocketServer(options)
  const flush = (): void => {
    for (const line of lines) if (!line.flush()) lines.delete(line)
  }

  const server = createServer((request, response) => {
    venue.moveToPresent()
    void answer(venue, request, response).finally(flush)
  })
  server.maxConnections = MAX_HTTP_CONNECTIONS
  server.on('upgrade', (request, socket, head) => {
    venue.moveToPresent()
    const connection = connect(venue, request)
    if ('status' in connection) return refuse(socket, connection)
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const line = new Line(connection, webSocket, () => venue.moveToPresent())
      lines.add(line)
      line.flush()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve)
  })
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
    flush,
    unsentBytes: () => Math.max(0, ...Array.from(lines, (line) => line.unsentBytes)),
    stop: async () => {
      clearInterval(ping)
      for (const line of lines) line.cut()
      server.closeAllConnections()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

function connect(venue: ServedVenue, request: IncomingMessage): Connection | Refusal {
  const { pathname, searchParams } = urlOf(request)
  const [, symbol] = /^\/v1\/marketdata\/([^/]+)$/.exec(pathname) ?? []
  if (symbol !== undefined) return venue.connectV1(symbol, searchParams)
  if (pathname === '/') return venue.connectWs(searchParams, request.headers)
  if (pathname === '/v1/order/events' && venue.connectOrderEvents !== undefined)
    return venue.connectOrderEvents(searchParams, request.headers)
  return refusalFor(404, null)
}

async function answer(venue: ServedVenue, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = urlOf(request)
  const given = await venue.answer(request, pathname, searchParams)
  response.writeHead(given.status, { ...given.headers, 'content-length': Buffer.byteLength(given.body).toString() })
  response.end(request.method === 'HEAD' ? '' : given.body)
}

function urlOf(request: IncomingMessage): URL {
  return URL.parse(request.url ?? '/', 'http://venue') ?? new URL('http://venue/')
}

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What a route is told of the request. */
export type Question = Readonly<{ query: URLSearchParams; acceptsGzip: boolean }>

/** `headers`: beside those that every answer has; in lower case. */
export type Answer = Readonly<{
  status: number
  contentType: string
  body: string | Uint8Array
  headers?: Readonly<Record<string, string>>
}>

/** Path (exact, without query) to what answers it. A route that throws is answered 500 without its reason. */
export type Routes = Readonly<Record<string, (question: Question) => Promise<Answer>>>

export type AdminAddress = Readonly<{ host: string; port: number; url: string }>

export type AdminServer = Readonly<{
  /** Rejects with `AdminServerError` when the address cannot be had. Port 0 takes any free one. */
  start(host: string, port: number): Promise<AdminAddress>
  /** Answers what was asked, closes every connection, resolves when the port is free. */
  stop(): Promise<void>
}>

/** The limits of fault S8: a client that is slow on purpose. */
export const HEADERS_TIMEOUT_MS = 5000
export const REQUEST_TIMEOUT_MS = 10_000
export const KEEP_ALIVE_MS = 5000
export const MAX_HEADER_BYTES = 8 * 1024
/** How often the timeouts above are looked at. */
export const TIMEOUT_CHECK_MS = 1000
/** Probes, Prometheus and a few people. One more closes the connection that has been silent longest. */
export const MAX_CONNECTIONS = 64
/** How long an answer may take to be made and read: one that is never read would hold its connection for ever. */
export const ANSWER_TIMEOUT_MS = 10_000
/** After this, stop closes connections whose answer still waits. */
export const STOP_GRACE_MS = 1000

export class AdminServerError extends Error {
  override name = 'AdminServerError'
}

export function createAdminServer(
  options: Readonly<{
    routes: Routes
    onError?: (path: string, error: unknown) => void
    answerTimeoutMs?: number // for tests
  }>,
): AdminServer {
  const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = options
  const routes = new Map(Object.entries(options.routes))
  const silent = new Set<Socket>() // connections with no question being answered, longest silent first
  let open = 0

  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    },
    (request, response) => {
      silent.delete(request.socket)
      const patience = setTimeout(() => request.socket.destroy(), answerTimeoutMs)
      response.once('close', () => {
        clearTimeout(patience)
        if (!request.socket.destroyed) silent.add(request.socket)
      })
      void reply(request, response)
    },
  )

  // Refusing the newcomer would let slow clients shut out the liveness probe; so the oldest silent one goes.
  server.on('connection', (socket: Socket) => {
    open++
    silent.add(socket)
    socket.once('close', () => {
      open--
      silent.delete(socket)
    })
    if (open <= MAX_CONNECTIONS) return
    const [longestSilent] = silent
    longestSilent?.destroy()
  })

  async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? ''
    const [path = ''] = url.split('?', 1)
    const answer = await answerTo(request.method ?? '', path, {
      query: new URLSearchParams(url.slice(path.length)),
      acceptsGzip: /\bgzip\b/.test(request.headers['accept-encoding'] ?? ''),
    })
    const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
    response.writeHead(answer.status, {
      'content-type': answer.contentType,
      'content-length': body.length,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...answer.headers,
      ...(answer.status === 405 ? { allow: 'GET, HEAD' } : {}),
    })
    response.end(request.method === 'HEAD' ? undefined : body)
    request.resume() // a body is not read by anyone, and must not hold up the connection
  }

  async function answerTo(method: string, path: string, question: Question): Promise<Answer> {
    if (method !== 'GET' && method !== 'HEAD') return plainText(405, 'only GET and HEAD are answered here')
    const route = routes.get(path)
    if (route === undefined) return plainText(404, `not found; there is ${[...routes.keys()].join(', ')}`)
    try {
      return await route(question)
    } catch (error) {
      options.onError?.(path, error)
      return plainText(500, 'this page failed; the log says why')
    }
  }

  return {
    start: (host, port) =>
      new Promise((resolve, reject) => {
        const onRefused = (error: NodeJS.ErrnoException): void => reject(refusal(host, port, error))
        server.once('error', onRefused)
        server.listen(port, host, () => {
          server.removeListener('error', onRefused)
          resolve(addressOf(server.address() as AddressInfo))
        })
      }),

    stop: () =>
      new Promise((resolve) => {
        const grace = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS)
        server.close(() => {
          clearTimeout(grace)
          resolve()
        })
        for (const socket of silent) socket.destroy()
      }),
  }
}

function plainText(status: number, sentence: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${sentence}\n` }
}

function addressOf({ address, port, family }: AddressInfo): AdminAddress {
  return { host: address, port, url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}` }
}

function refusal(host: string, port: number, error: NodeJS.ErrnoException): AdminServerError {
  const sentence = (trouble: string, setting: string): AdminServerError =>
    new AdminServerError(`${trouble}: set ${setting} to another one.`, { cause: error })
  if (error.code === 'EADDRINUSE') {
    return sentence(`port ${port} on ${host} is already taken by another program`, 'BOOKTAPE_HTTP_PORT')
  }
  if (error.code === 'EACCES') return sentence(`this user may not listen on port ${port}`, 'BOOKTAPE_HTTP_PORT')
  return sentence(`cannot listen on ${host} (${error.code ?? error.message})`, 'BOOKTAPE_HTTP_HOST')
}

import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { invariant } from '@booktape/market'
import { WebSocketServer } from 'ws'
import type { VenueCommand, VenueOptions, VenueReport } from './venue.ts'
import { FIRST_ID, frameText, makeWorkload, snapshotText } from './workload.ts'

// A venue that does nothing but send, as fast as its client reads or at a steady rate: frames are made before, and only their ids
// are written as they leave. A process of its own, started by venue.ts.

const CHUNK_BYTES = 64 * 1024
const PACE_MS = 10
const TEXT_FRAME = 0x81 // RFC 6455: FIN and opcode 1
const ID_DIGITS = 12

const options = JSON.parse(process.argv[2] ?? '{}') as VenueOptions
const tell = (report: VenueReport): void => void process.send?.(report)

type Prepared = Readonly<{ bytes: Buffer; firstIdAt: number; lastIdAt: number; firstId: number; lastId: number }>
type Feed = Readonly<{ snapshot: string; frames: readonly Prepared[]; span: number }>

const feeds = new Map<string, Feed>(options.works.map((shape) => [shape.symbol, prepare(makeWorkload(shape))]))

function prepare(work: ReturnType<typeof makeWorkload>): Feed {
  const frames = work.frames.map((frame): Prepared => {
    const payload = Buffer.from(frameText(work.symbol, frame))
    const head =
      payload.length < 126
        ? Buffer.from([TEXT_FRAME, payload.length])
        : Buffer.from([TEXT_FRAME, 126, payload.length >> 8, payload.length & 0xff])
    invariant(payload.length < 65_536, 'frames of the workload are short')
    const bytes = Buffer.concat([head, payload])
    return {
      bytes,
      firstIdAt: bytes.indexOf('"U":') + 4,
      lastIdAt: bytes.indexOf('"u":') + 4,
      firstId: Number(frame.firstUpdateId),
      lastId: Number(frame.lastUpdateId),
    }
  })
  const span = Number((work.frames.at(-1)?.lastUpdateId ?? FIRST_ID) - FIRST_ID)
  return { snapshot: snapshotText(work), frames, span }
}

/** One connection and what it subscribed to. Frames go to its symbols in turn: all first frames, all second ones, and so on. */
class Line {
  readonly symbols: string[] = []
  readonly #socket: Socket
  #sent = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get total(): number {
    return this.symbols.length * options.framesPerCycle * options.cycles
  }

  get isDone(): boolean {
    return this.#sent >= this.total
  }

  /** As fast as the client reads. */
  blast(done: () => void): void {
    while (!this.isDone) {
      if (!this.#sendChunk(this.total)) {
        this.#socket.once('drain', () => this.blast(done))
        return
      }
    }
    done()
  }

  sendUpTo(count: number): void {
    while (this.#sent < Math.min(count, this.total)) this.#sendChunk(count)
  }

  #sendChunk(limit: number): boolean {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    let length = 0
    while (this.#sent < Math.min(limit, this.total)) {
      const round = Math.floor(this.#sent / this.symbols.length)
      const feed = feeds.get(this.symbols[this.#sent % this.symbols.length] ?? '')
      const frame = feed?.frames[round % options.framesPerCycle]
      invariant(feed !== undefined && frame !== undefined, 'only known symbols are subscribed to')
      if (length + frame.bytes.length > CHUNK_BYTES) break
      frame.bytes.copy(chunk, length)
      const moved = Math.floor(round / options.framesPerCycle) * feed.span
      writeId(chunk, length + frame.firstIdAt, frame.firstId + moved)
      writeId(chunk, length + frame.lastIdAt, frame.lastId + moved)
      length += frame.bytes.length
      this.#sent++
    }
    return this.#socket.write(chunk.subarray(0, length))
  }
}

function writeId(bytes: Uint8Array, at: number, id: number): void {
  let rest = id
  for (let i = at + ID_DIGITS - 1; i >= at; i--) {
    const next = Math.floor(rest / 10)
    bytes[i] = 48 + rest - next * 10
    rest = next
  }
}

const lines: Line[] = []
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
const server = createServer((request, response) => {
  const [, symbol] = /^\/v1\/symbols\/details\/(\w+)/.exec(request.url ?? '') ?? []
  response.writeHead(200, { 'content-type': 'application/json' }).end(symbol === undefined ? '[]' : detailsOf(symbol))
})
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (webSocket) => {
    const line = new Line(socket as Socket)
    lines.push(line)
    webSocket.on('message', (message: Buffer) => {
      const { id, method, params } = JSON.parse(message.toString()) as { id: unknown; method: string; params?: unknown }
      const idText = JSON.stringify(id)
      if (method === 'list_subscriptions') {
        const streams = line.symbols.flatMap((symbol) => [
          `${symbol}@depth@100ms`,
          `${symbol}@trade`,
          `${symbol}@bookTicker`,
        ])
        return webSocket.send(`{"id":${idText},"status":200,"result":${JSON.stringify(streams)}}`)
      }
      if (method === 'depth') {
        return webSocket.send(`{"id":${idText},"status":400,"error":{"code":-1020,"msg":"not here"}}`)
      }
      if (method === 'subscribe') {
        for (const stream of params as string[]) {
          const [, symbol = ''] = /^(\w+)@depth/.exec(stream) ?? []
          const feed = feeds.get(symbol)
          if (feed === undefined) continue
          line.symbols.push(symbol)
          webSocket.send(feed.snapshot)
        }
      }
      webSocket.send(`{"id":${idText},"status":200}`)
      const subscribed = lines.reduce((sum, { symbols }) => sum + symbols.length, 0)
      if (method === 'subscribe' && subscribed === feeds.size) tell({ kind: 'subscribed' })
    })
    webSocket.on('error', () => undefined) // a client that goes away; its own process tells why
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) tell({ kind: 'listening', port: address.port })
})

process.on('message', (command: VenueCommand) => {
  if (command.kind === 'stop') process.exit(0)
  const startNs = process.hrtime.bigint()
  const elapsedMs = (): number => Number(process.hrtime.bigint() - startNs) / 1e6
  const finish = (): void => tell({ kind: 'sent', tookMs: elapsedMs() })
  const { framesPerSecond } = command
  if (framesPerSecond === null) {
    let open = lines.length
    for (const line of lines) {
      line.blast(() => {
        if (--open === 0) finish()
      })
    }
    return
  }
  const total = lines.reduce((sum, line) => sum + line.total, 0)
  const timer = setInterval(() => {
    const due = (elapsedMs() / 1e3) * framesPerSecond
    for (const line of lines) line.sendUpTo(Math.floor((due * line.total) / total))
    if (lines.every((line) => line.isDone)) {
      clearInterval(timer)
      finish()
    }
  }, PACE_MS)
})
process.on('disconnect', () => process.exit(0)) // whoever started it is gone

function detailsOf(symbol: string): string {
  return (
    `{"symbol":"${symbol.toUpperCase()}","base_currency":"${symbol.slice(0, -3).toUpperCase()}","quote_currency":"USD","tick_size":1e-8,` +
    '"quote_increment":0.01,"min_order_size":"0.00001","status":"open","wrap_enabled":false,"product_type":"spot",' +
    '"contract_type":"vanilla","contract_price_currency":"USD"}'
  )
}

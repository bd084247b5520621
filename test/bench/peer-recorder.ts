import { Client } from 'pg'
import { WebSocket } from 'ws'
import { type TardisBook, TardisOrderBook } from './peers.ts'
import { digestOf, type Level, trimmed } from './workload.ts'

// What one gets from the usual parts put together: ws, JSON.parse, tardis-dev's book, and rows of floats by UNNEST. No log on disk:
// what was not yet committed when it dies is lost. A process of its own; it tells its progress on the IPC channel.

const MAX_ROWS = 20_000
const PAUSE_AT_ROWS = 200_000
const COMMIT_MS = 40

export type PeerReport = Readonly<{
  frames: number
  committedChanges: number
  lagsMs: readonly number[] // a sample for each frame of a batch's first and last
}>
export type PeerEnd = Readonly<{ digests: Readonly<Record<string, string>> }>

type Level2 = [price: string, quantity: string]
type Row = readonly [
  symbol: string,
  receivedMs: number,
  updateId: number,
  side: string,
  price: number,
  quantity: number,
]

const [url = '', databaseUrl = '', symbolList = ''] = process.argv.slice(2)
const symbols = symbolList.split(',')
const books = new Map<string, TardisBook>()
const client = new Client({ connectionString: databaseUrl })
await client.connect()
await client.query(
  `create table public.book_changes (symbol text, received_time timestamptz, update_id bigint, side text, price float8, quantity float8)`,
)
await client.query('create index on public.book_changes (symbol, received_time)')

let rows: Row[] = []
let frames = 0
let committedChanges = 0
let lagsMs: number[] = []
let isPaused = false

const socket = new WebSocket(url, { perMessageDeflate: false })
socket.on('open', () => {
  for (const [i, symbol] of symbols.entries()) {
    socket.send(JSON.stringify({ id: i, method: 'subscribe', params: [`${symbol}@depth@100ms`] }))
  }
})
socket.on('message', (message: Buffer) => {
  const frame = JSON.parse(message.toString()) as {
    e?: string
    s: string
    U: number
    u: number
    b: Level2[]
    a: Level2[]
  }
  if (frame.e !== 'depthUpdate') return
  const receivedMs = Date.now()
  const isSnapshot = frame.U === frame.u
  const bids = frame.b.map(([price, amount]) => ({ price: Number(price), amount: Number(amount) }))
  const asks = frame.a.map(([price, amount]) => ({ price: Number(price), amount: Number(amount) }))
  const book = books.get(frame.s) ?? new TardisOrderBook()
  books.set(frame.s, book)
  book.update({ isSnapshot, bids, asks })
  book.bestBid()
  book.bestAsk()
  if (isSnapshot) return
  frames++
  for (const { price, amount } of bids) rows.push([frame.s, receivedMs, frame.u, 'bid', price, amount])
  for (const { price, amount } of asks) rows.push([frame.s, receivedMs, frame.u, 'ask', price, amount])
  if (rows.length >= PAUSE_AT_ROWS && !isPaused) {
    isPaused = true
    socket.pause()
  }
})

const INSERT = `insert into public.book_changes
  select symbol, to_timestamp(received / 1000.0), update_id, side, price, quantity
  from unnest($1::text[], $2::float8[], $3::bigint[], $4::text[], $5::float8[], $6::float8[]) as given(symbol, received, update_id, side, price, quantity)`

async function store(): Promise<void> {
  for (;;) {
    const batch = rows.slice(0, MAX_ROWS)
    if (batch.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, COMMIT_MS))
      continue
    }
    const columns = [0, 1, 2, 3, 4, 5].map((i) => batch.map((row) => row[i]))
    await client.query(INSERT, columns)
    rows = rows.slice(batch.length)
    committedChanges += batch.length
    const now = Date.now()
    for (let i = 0; i < batch.length; i += 10) lagsMs.push(now - (batch[i]?.[1] ?? now))
    if (isPaused && rows.length < PAUSE_AT_ROWS / 2) {
      isPaused = false
      socket.resume()
    }
    if (rows.length < MAX_ROWS) await new Promise((resolve) => setTimeout(resolve, COMMIT_MS))
  }
}
void store()

process.on('message', (ask: 'report' | 'digests') => {
  if (ask === 'report') {
    process.send?.({ frames, committedChanges, lagsMs } satisfies PeerReport)
    lagsMs = []
    return
  }
  const digests = Object.fromEntries(
    [...books].map(([symbol, book]) => {
      const side = (levels: IterableIterator<{ price: number; amount: number }>): Level[] =>
        [...levels].map(({ price, amount }): Level => [plain(price), plain(amount)])
      return [symbol, digestOf({ bids: side(book.bids()), asks: side(book.asks()) })]
    }),
  )
  process.send?.({ digests } satisfies PeerEnd)
})
process.on('disconnect', () => process.exit(0))

const plain = (value: number): string => {
  const text = String(value)
  return /^\d+(\.\d+)?$/.test(text) ? text : trimmed(value.toFixed(10))
}

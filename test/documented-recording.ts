import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { archiveDays, openStorage } from '@booktape/archive'
import { openTape } from '@booktape/client'
import { deriveId } from '@booktape/market'
import { migrate, openDatabase } from '@booktape/store'
import { type TemporaryDatabase, temporaryDatabase } from '@booktape/testkit'
import { Client } from 'pg'

/** A database of its own that holds the recording below, and nothing else. */
export async function documentedDatabase(): Promise<TemporaryDatabase> {
  const database = await temporaryDatabase()
  await migrate(database.url)
  const client = new Client({ connectionString: database.url })
  await client.connect()
  await storeDocumentedRecording(client)
  await client.end()
  return database
}

/** The same as an archive in a folder. */
export async function archiveDocumented({ url }: TemporaryDatabase, folder: string): Promise<void> {
  const database = openDatabase(url, { applicationName: 'booktape test', max: 2 })
  const tape = openTape(url)
  try {
    const only = { fromDay: null, toDay: null }
    const options = { database, tape, storage: await openStorage(folder), software: 'booktape test', only }
    const { days } = await archiveDays({ ...options, stopping: new AbortController().signal })
    assert.deepEqual(days, ['2026-03-01'])
  } finally {
    await tape.close()
    await database.close()
  }
}

/**
 * The recording that docs/data.md asks its questions of: five minutes of btcusd over v1 on 2026-03-01, small enough to be worked out
 * by hand. The connection was lost from 10:02:00 to 10:02:30; what we received, the venue did 20 ms before.
 */
async function storeDocumentedRecording(client: Client): Promise<void> {
  const put = async (table: string, row: Readonly<Record<string, unknown>>): Promise<void> => {
    const stored = { ...row, checksum: 0 } // read, and not verified
    const columns = Object.keys(stored)
    const places = columns.map((_, i) => `$${i + 1}`)
    await client.query(
      `insert into booktape.${table} (${columns.join()}) values (${places.join()})`,
      Object.values(stored),
    )
  }
  const shared = { line: LINE, symbol: SYMBOL, feed: FEED }
  const journal = { journal_id: deriveId('journal', 'documented'), line: LINE }
  await put('journals', { ...journal, shard: 0, written_position: 1, recorded_until: at('10:05:00') })
  await put('instruments', {
    symbol: SYMBOL,
    base_currency: 'BTC',
    quote_currency: 'USD',
    price_increment: '0.01',
    quantity_increment: '0.00000001',
    min_order_size: '0.00001',
    status: 'open',
    product_type: 'spot',
    contract_type: 'vanilla',
    valid_from: at('10:00:00'),
  })
  for (const { name, from, to, firstId, reason, levels, messages } of EPOCHS) {
    const ids = { epoch_id: deriveId('epoch', name), session_id: deriveId('session', name) }
    const book = new PlainBook()
    for (const [side, price, quantity] of levels) book.set(side, price, quantity)
    const stamp = (time: string, updateId: number) => ({ ...timesOf(time), update_id: updateId })
    const snapshot = async (time: string, updateId: number, seq: number, why: string): Promise<void> =>
      await put('book_snapshots', {
        ...shared,
        ...stamp(time, updateId),
        event_time_ns: null,
        message_seq: seq,
        epoch_id: ids.epoch_id,
        reason: why,
        ...book.columns(),
        digest: book.digest(),
      })
    let top = ''
    const quote = async (time: string, updateId: number, seq: number): Promise<void> => {
      const best = book.top()
      if (JSON.stringify(best) === top) return
      top = JSON.stringify(best)
      const venueTime = seq === 1 ? { event_time_ns: null } : {} // v1's first message has no time
      await put('quotes', { ...shared, ...ids, ...stamp(time, updateId), ...venueTime, message_seq: seq, ...best })
    }
    await put('sessions', {
      session_id: ids.session_id,
      journal_id: journal.journal_id,
      line: LINE,
      feed: FEED,
      url: 'wss://api.gemini.com/v1/marketdata/btcusd',
      opened_at: at(from),
      closed_at: at(to),
      close_code: reason === 'stopped' ? 1000 : 1006,
      close_reason: reason,
    })
    await put('epochs', {
      ...shared,
      ...ids,
      journal_id: journal.journal_id,
      started_at: at(from),
      ended_at: at(to),
      first_update_id: firstId,
      last_update_id: messages.at(-1)?.id ?? firstId,
      end_reason: reason,
    })
    await snapshot(from, firstId, 1, 'initial')
    await quote(from, firstId, 1)
    for (const [i, { time, id, changes, trade }] of messages.entries()) {
      const seq = i + 2
      for (const [mark, price, quantity] of changes) book.set(sideOf(mark), price, quantity)
      await put('book_messages', {
        ...shared,
        ...stamp(time, id),
        first_update_id: id,
        message_seq: seq,
        epoch_id: ids.epoch_id,
        marks: changes.map(([mark]) => mark).join(''),
        prices: changes.map(([, price]) => price),
        quantities: changes.map(([, , quantity]) => quantity),
      })
      await quote(time, id, seq)
      if (trade === undefined) continue
      await put('trades', {
        symbol: SYMBOL,
        line: LINE,
        trade_id: id,
        ...timesOf(time),
        event_time: venueTimeOf(time),
        price: trade[1],
        quantity: trade[2],
        taker_side: trade[0],
        source: FEED,
      })
    }
    await snapshot(to, messages.at(-1)?.id ?? firstId, messages.length + 1, 'epoch_end')
    await put('gaps', {
      ...shared,
      gap_id: deriveId('gap', name),
      journal_id: journal.journal_id,
      stream: 'book',
      from_id: messages.at(-1)?.id ?? firstId,
      to_id: reason === 'stopped' ? null : 2000,
      started_at: at(to),
      ended_at: reason === 'stopped' ? null : at('10:02:30'),
      cause: reason,
      state: reason === 'stopped' ? 'open' : 'closed',
    })
  }
  for (const [i, { time, side, price, quantity, fee, spent }] of OFFERS.entries()) {
    const requested = nsOf(time) - OFFER_DELAY_NS
    await client.query(
      `insert into account.instant_quotes (journal_id, position, key_fingerprint, symbol, side, requested_time, requested_time_ns,
         received_time, received_time_ns, quote_id, max_age_ms, pair, price, price_currency, quantity, quantity_currency, fee, fee_currency,
         deposit_fee, deposit_fee_currency, total_spend, total_spend_currency)
       values ($1, $2, 'documented', $3, $4, booktape.instant($5), $5, $6, $7, $8, 60000, 'BTCUSD', $9, 'USD', $10, 'BTC', $11, 'USD',
         0, 'USD', $12, $13)`,
      [
        deriveId('journal', 'offers'),
        i + 1,
        SYMBOL,
        side,
        requested,
        at(time),
        nsOf(time),
        7001 + i,
        price,
        quantity,
        fee,
        spent,
        side === 'buy' ? 'USD' : 'BTC',
      ],
    )
  }
  await client.query('select account.answer_quotes(100)')
}

/** Instant quotes offered while it was recorded; those of the half minute without a connection have no book to be held against. */
const OFFERS = [
  { time: '10:00:15', side: 'buy', price: '101.505', quantity: '1', fee: '1.5', spent: '103.005' },
  { time: '10:00:16', side: 'buy', price: '102.5', quantity: '3', fee: '4.6', spent: '312.1' },
  { time: '10:01:00', side: 'sell', price: '99.5', quantity: '0.5', fee: '0.75', spent: '0.5' },
  { time: '10:02:10', side: 'buy', price: '102', quantity: '1', fee: '1.5', spent: '103.5' },
  { time: '10:03:30', side: 'buy', price: '98.98', quantity: '2', fee: '2.96', spent: '200.92' },
] as const
const OFFER_DELAY_NS = 120_000_000n

const SYMBOL = 'btcusd'
const FEED = 'v1'
const LINE = 'a'
const DAY = '2026-03-01'
const VENUE_DELAY_NS = 20_000_000n

type SideName = 'bid' | 'ask'
type Message = Readonly<{
  time: string
  id: number
  changes: readonly (readonly [mark: string, price: string, quantity: string])[] // mark: a letter of book_messages.marks
  trade?: readonly [taker: 'buy' | 'sell', price: string, quantity: string]
}>

const EPOCHS: readonly Readonly<{
  name: string
  from: string
  to: string
  firstId: number
  reason: 'disconnect' | 'stopped'
  levels: readonly (readonly [side: SideName, price: string, quantity: string])[]
  messages: readonly Message[]
}>[] = [
  {
    name: 'first',
    from: '10:00:00',
    to: '10:02:00',
    firstId: 1000,
    reason: 'disconnect',
    levels: [
      ['bid', '99', '1'],
      ['bid', '98', '2'],
      ['bid', '95', '10'],
      ['ask', '101', '1'],
      ['ask', '102', '2'],
      ['ask', '105', '10'],
    ],
    messages: [
      { time: '10:00:10', id: 1001, changes: [['p', '100', '0.5']] },
      { time: '10:00:20', id: 1002, changes: [['T', '101', '0.6']], trade: ['buy', '101', '0.4'] },
      { time: '10:00:30', id: 1003, changes: [['T', '101', '0']], trade: ['buy', '101', '0.6'] },
      { time: '10:00:40', id: 1004, changes: [['P', '101.5', '2']] },
      { time: '10:01:10', id: 1005, changes: [['t', '100', '0']], trade: ['sell', '100', '0.5'] },
      { time: '10:01:30', id: 1006, changes: [['C', '105', '0']] },
    ],
  },
  {
    name: 'second',
    from: '10:02:30',
    to: '10:05:00',
    firstId: 2000,
    reason: 'stopped',
    levels: [
      ['bid', '97', '1'],
      ['bid', '96', '4'],
      ['ask', '98', '3'],
      ['ask', '99', '5'],
    ],
    messages: [
      { time: '10:03:00', id: 2001, changes: [['t', '97', '0.25']], trade: ['sell', '97', '0.75'] },
      { time: '10:03:45', id: 2002, changes: [['p', '97.5', '0.123456789']] },
      { time: '10:04:15', id: 2003, changes: [['T', '98', '1']], trade: ['buy', '98', '2'] },
    ],
  },
]

/** The book the plainest way there is. */
class PlainBook {
  readonly #sides: Readonly<Record<SideName, Map<string, string>>> = { bid: new Map(), ask: new Map() }

  set(side: SideName, price: string, quantity: string): void {
    if (quantity === '0') this.#sides[side].delete(price)
    else this.#sides[side].set(price, quantity)
  }

  columns() {
    const bids = this.#levels('bid')
    const asks = this.#levels('ask')
    return {
      bid_prices: bids.map(([price]) => price),
      bid_quantities: bids.map(([, quantity]) => quantity),
      ask_prices: asks.map(([price]) => price),
      ask_quantities: asks.map(([, quantity]) => quantity),
    }
  }

  top() {
    const [bid, ask] = [this.#levels('bid')[0], this.#levels('ask')[0]]
    return {
      bid_price: bid?.[0] ?? null,
      bid_quantity: bid?.[1] ?? null,
      ask_price: ask?.[0] ?? null,
      ask_quantity: ask?.[1] ?? null,
    }
  }

  /** By the rule of docs/data.md. */
  digest(): Buffer {
    const lines = (side: SideName) => this.#levels(side).map(([price, quantity]) => `${side} ${price} ${quantity}\n`)
    return createHash('sha256')
      .update([...lines('bid'), ...lines('ask')].join(''))
      .digest()
  }

  /** Best first; these prices are small enough to be compared as numbers. */
  #levels(side: SideName): [price: string, quantity: string][] {
    const better = side === 'bid' ? -1 : 1
    return [...this.#sides[side]].sort(([a], [b]) => better * (Number(a) - Number(b)))
  }
}

const sideOf = (mark: string): SideName => (mark === mark.toLowerCase() ? 'bid' : 'ask')

const at = (time: string): string => `${DAY}T${time}Z`
const nsOf = (time: string): bigint => BigInt(Date.parse(at(time))) * 1_000_000n
const venueTimeOf = (time: string): string => new Date(Number((nsOf(time) - VENUE_DELAY_NS) / 1_000_000n)).toISOString()

function timesOf(time: string) {
  return { received_time: at(time), received_time_ns: nsOf(time), event_time_ns: nsOf(time) - VENUE_DELAY_NS }
}

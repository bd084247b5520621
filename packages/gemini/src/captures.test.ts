import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type LevelChange, VenueProtocolError } from '@booktape/market'
import { decodeRestBook, decodeRestError, decodeRestTrades } from './decode-rest.ts'
import { decodeSymbolDetails, decodeSymbols } from './decode-symbols.ts'
import { decodeV1 } from './decode-v1.ts'
import { readWs } from './frames.fixture.ts'
import { readJson } from './json.ts'

/** Real frames, recorded by others; they lie beside the repository and not in it. */
const captures = new URL('../../../../shared/captures/', import.meta.url)
const skip = existsSync(captures) ? false : 'the folder of captures is not beside the repository'

// What each kind of example decodes to: `reader: kind`, or the code with which it is refused.
const EXAMPLES: Readonly<Record<string, string>> = {
  'v1.heartbeat': 'v1: heartbeat',
  'v1.update.auction_indicative': 'v1: update 0 changes 0 trades auction_indicative',
  'v1.update.auction_open': 'v1: update 0 changes 0 trades auction_open',
  'v1.update.auction_trade+auction_result': 'v1: update 0 changes 1 trades auction_result',
  'v1.update.change': 'v1: update 1 changes 0 trades',
  'v1.update.change.cancel': 'v1: update 1 changes 0 trades',
  'v1.update.change.place': 'v1: update 1 changes 0 trades',
  'v1.update.initial.full_depth.excerpt': 'v1: update 4 changes 0 trades',
  'v1.update.initial.offers_only': 'v1: update 1 changes 0 trades',
  'v1.update.initial.top_of_book': 'v1: update 2 changes 0 trades',
  'v1.update.top-of-book': 'v1: update 1 changes 0 trades',
  'v1.update.trade': 'v1: update 0 changes 1 trades',
  'v1.update.trade+change': 'v1: update 1 changes 1 trades',
  'v1.update.trade.top_of_book_mode': 'v1: update 0 changes 1 trades',
  'v1multi.update.initial': 'v1: update 1 changes 0 trades',
  'v1multi.update.top-of-book': 'v1: update 1 changes 0 trades',
  'v1multi.update.top-of-book.two_events': 'v1: update 2 changes 0 trades',
  'v1multi.update.trade': 'v1: update 0 changes 1 trades',
  'v1.order_events.accepted': 'v1: WRONG_TYPE', // an array: a private feed, not this one
  'v1.order_events.heartbeat': 'v1: heartbeat',
  'v1.order_events.subscription_ack': 'v1: unknown subscription_ack',
  'v2.auction_indicative': 'v1: unknown auction_indicative',
  'v2.auction_open': 'v1: unknown auction_open',
  'v2.auction_result': 'v1: unknown auction_result',
  'v2.error': 'v1: refusal NoValidTradingPairs',
  'v2.heartbeat': 'v1: heartbeat',
  'v2.trade': 'v1: unknown trade',
  'ws.balanceUpdate': 'ws: other balanceUpdate',
  'ws.bookTicker': 'ws: book_ticker',
  'ws.bookTicker.burst': 'ws: book_ticker',
  'ws.bookTicker.older_than_snapshot': 'ws: book_ticker',
  'ws.bookTicker.prediction': 'ws: book_ticker',
  'ws.depthUpdate': 'ws: depth',
  'ws.depthUpdate.diff': 'ws: depth',
  'ws.depthUpdate.diff.chain1': 'ws: depth',
  'ws.depthUpdate.diff.chain2_unsorted': 'ws: depth',
  'ws.depthUpdate.diff.chain3_repeats_unchanged': 'ws: depth',
  'ws.depthUpdate.diff.perp': 'ws: depth',
  'ws.depthUpdate.diff.stale_after_snapshot': 'ws: depth',
  'ws.depthUpdate.same_E_as_bookTicker': 'ws: depth',
  'ws.depthUpdate.snapshot': 'ws: depth',
  'ws.depthUpdate.snapshot.excerpt(2564 bids, 2094 asks in the original; a few levels kept)': 'ws: depth',
  'ws.depthUpdate.unsafe_ids': 'ws: depth',
  'ws.error': 'ws: response 401 -1002',
  'ws.error.invalid_stream': 'ws: response 400 -1013',
  'ws.error.unknown_method': 'ws: response 400 -1020',
  'ws.fundingAmount': 'ws: other fundingAmount',
  'ws.markPrice': 'ws: other markPrice',
  'ws.orderUpdate': 'ws: other orderUpdate',
  'ws.partialDepth': 'ws: partial_depth null',
  'ws.partialDepth.prediction': 'ws: partial_depth null',
  'ws.partialDepth.wire': 'ws: partial_depth trumpgusdperp',
  'ws.request': 'ws: unknown',
  'ws.request.ping': 'ws: unknown',
  'ws.request.resync': 'ws: unknown',
  'ws.request.subscribe': 'ws: unknown',
  'ws.response': 'ws: response 200',
  'ws.response.conninfo': 'ws: response 200 with rateLimits',
  'ws.response.ping': 'ws: response 200',
  'ws.response.subscribe': 'ws: response 200',
  'ws.response.subscribe.after_snapshot': 'ws: response 200',
  'ws.response.time': 'ws: response 200',
  'ws.trade': 'ws: trade',
  'ws.trade.with_e': 'ws: trade',
  'rest.book': 'book 1 1',
  'rest.error.400': 'error InvalidNonce',
  'rest.error.429': 'error RateLimit or Too Many Requests',
  'rest.error.invalid_symbol.book': 'error Bad Request',
  'rest.error.invalid_symbol.riskstats': 'error InvalidSymbol',
  'rest.error.nonce': 'error BadNonce',
  'rest.symbol_details': 'instrument',
  'rest.symbol_details.perp_example': 'instrument',
  'rest.trades.item': 'trade',
  'rest.balances': 'json',
  'rest.instant.execute.request': 'json',
  'rest.instant.quote.request': 'json',
  'rest.instant.quote.response': 'json',
}

test('every one of the 112 examples decodes as its kind says', { skip }, () => {
  const seen = new Set<string>()
  const lines = linesOf('examples.jsonl')
  for (const line of lines) {
    const kind = /"kind":"([^"]*)"/.exec(line)?.[1] ?? ''
    const message = line.slice(line.indexOf('"message":') + '"message":'.length, -1)
    assert.equal(describe(kind, message), EXAMPLES[kind], `${kind} ${message}`)
    seen.add(kind)
  }
  assert.equal(lines.length, 112)
  assert.deepEqual([...seen].sort(), Object.keys(EXAMPLES).sort())
})

test('the v1 capture of 2018 decodes: 12 messages in sequence, 12 changes and a trade', { skip }, () => {
  const updates = linesOf('v1-2018-09-26-btcusd.jsonl').map((line) => {
    const message = decodeV1(line)
    assert.ok(message.kind === 'update')
    return message
  })
  assert.deepEqual(
    updates.map((update) => update.sequence),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  )
  assert.equal(updates.flatMap((update) => update.changes).length, 12)
  assert.deepEqual(updates[4], {
    kind: 'update',
    sequence: 5,
    eventId: 4568099470n,
    eventTimeNs: 1537974020197000000n,
    changes: [{ side: 'ask', price: '6508.45', quantity: '0.45117186', reason: 'trade', delta: '-0.02441407' }],
    trades: [
      {
        tradeId: 4568099470n,
        eventTimeNs: 1537974020197000000n,
        price: '6508.45',
        quantity: '0.02441407',
        takerSide: 'buy',
      },
    ],
    others: [],
  })
})

test('the capture of the new API decodes: every time, id, price and quantity as on the wire', { skip }, () => {
  const counts = { depth: 0, book_ticker: 0, trade: 0, response: 0 }
  let changes = 0
  for (const line of linesOf('ws-production-2026-09-30.tsv')) {
    const frame = line.slice(line.indexOf('\t') + 1)
    const message = readWs(frame)
    switch (message.kind) {
      case 'depth': {
        const { update } = message
        assert.equal(update.eventTimeNs, digitsOf(frame, 'E'))
        assert.equal(update.firstUpdateId, digitsOf(frame, 'U'))
        assert.equal(update.lastUpdateId, digitsOf(frame, 'u'))
        assert.deepEqual(update.changes.map(levelOf), levelsOf(frame))
        changes += update.changes.length
        break
      }
      case 'book_ticker':
        assert.equal(message.eventTimeNs, digitsOf(frame, 'E'))
        assert.equal(message.updateId, digitsOf(frame, 'u'))
        assert.equal(message.top.bidPrice, trimmed(textOf(frame, 'b')))
        assert.equal(message.top.bidQuantity, trimmed(textOf(frame, 'B')))
        assert.equal(message.top.askPrice, trimmed(textOf(frame, 'a')))
        assert.equal(message.top.askQuantity, trimmed(textOf(frame, 'A')))
        break
      case 'trade':
        assert.equal(message.trade.eventTimeNs, digitsOf(frame, 'E'))
        assert.equal(message.trade.tradeId, digitsOf(frame, 't'))
        assert.equal(message.trade.price, trimmed(textOf(frame, 'p')))
        break
      case 'response':
        assert.equal(message.status, 200)
        break
      default:
        assert.fail(`an unexpected ${message.kind}: ${frame}`)
    }
    counts[message.kind]++
  }
  assert.deepEqual(counts, { depth: 92, book_ticker: 105, trade: 3, response: 3 })
  assert.equal(changes, 984)
})

test('the capture of the new API shows claim 3 and claim 7: a snapshot first, then a chain that overlaps', {
  skip,
}, () => {
  const lastIds = new Map<string, bigint>()
  let snapshots = 0
  let chained = 0
  let stale = 0
  for (const line of linesOf('ws-production-2026-09-30.tsv')) {
    const message = readWs(line.slice(line.indexOf('\t') + 1))
    if (message.kind !== 'depth') continue
    const { firstUpdateId, lastUpdateId } = message.update
    const last = lastIds.get(message.symbol)
    lastIds.set(message.symbol, lastUpdateId)
    if (last === undefined && firstUpdateId === lastUpdateId) snapshots++
    else if (lastUpdateId === last) stale++
    else if (firstUpdateId === last) chained++
  }
  assert.deepEqual({ snapshots, chained, stale }, { snapshots: 3, chained: 88, stale: 1 })
})

test('all 347 symbols and their details are read exactly', { skip }, () => {
  const symbols = decodeSymbols(linesOf('symbols-2026-08-09.json').join(''))
  assert.equal(symbols.length, 347)
  const described = linesOf('symbol-details-2026-08-09.jsonl').map((line) => {
    const instrument = decodeSymbolDetails(line)
    // The capture spells every increment in plain digits, so the wire's own text is the canonical one.
    assert.equal(instrument.quantityIncrement, /"tick_size":([0-9.]+)/.exec(line)?.[1])
    assert.equal(instrument.priceIncrement, /"quote_increment":([0-9.]+)/.exec(line)?.[1])
    assert.equal(instrument.minOrderSize, textOf(line, 'min_order_size'))
    assert.equal(
      instrument.symbol,
      `${instrument.baseCurrency}${instrument.quoteCurrency}${suffixOf(line)}`.toLowerCase(),
    )
    return instrument.symbol
  })
  assert.deepEqual(described.sort(), [...symbols].sort())
})

function describe(kind: string, message: string): string {
  if (kind.startsWith('ws.')) return describeWs(message)
  if (kind.startsWith('v')) return describeV1(message)
  if (kind.startsWith('rest.error')) return describeRefusal(kind, message)
  if (kind.startsWith('rest.symbol_details'))
    return decodeSymbolDetails(message).status === 'open' ? 'instrument' : 'closed'
  switch (kind) {
    case 'rest.book': {
      const book = decodeRestBook(message)
      return `book ${book.bids.length} ${book.asks.length}`
    }
    case 'rest.trades.item':
      return decodeRestTrades(`[${message}]`)[0]?.takerSide === 'buy' ? 'trade' : 'another side'
    default:
      readJson(message)
      return 'json'
  }
}

function describeV1(text: string): string {
  try {
    const message = decodeV1(text)
    switch (message.kind) {
      case 'update': {
        const others = message.others.map((other) => ` ${other.type}`).join('')
        return `v1: update ${message.changes.length} changes ${message.trades.length} trades${others}`
      }
      case 'refusal':
        return `v1: refusal ${message.reason}`
      case 'unknown':
        return `v1: unknown ${message.type}`
      case 'heartbeat':
        return 'v1: heartbeat'
    }
  } catch (error) {
    if (error instanceof VenueProtocolError) return `v1: ${error.code}`
    throw error
  }
}

function describeWs(text: string): string {
  const message = readWs(text)
  switch (message.kind) {
    case 'response': {
      const error = message.error === null ? '' : ` ${message.error.code}`
      return `ws: response ${message.status}${error}${message.rateLimits === null ? '' : ' with rateLimits'}`
    }
    case 'other':
      return `ws: other ${message.event}`
    case 'partial_depth':
      return `ws: partial_depth ${message.symbol}`
    default:
      return `ws: ${message.kind}`
  }
}

function describeRefusal(kind: string, body: string): string {
  const { reason } = decodeRestError(400, body)
  // One of the two says it in words.
  if (kind === 'rest.error.429' && (reason === 'RateLimit' || reason === 'Too Many Requests')) {
    return 'error RateLimit or Too Many Requests'
  }
  return `error ${reason}`
}

function linesOf(file: string): string[] {
  return readFileSync(new URL(file, captures), 'utf8').trim().split('\n')
}

function digitsOf(frame: string, key: string): bigint {
  return BigInt(new RegExp(`"${key}":(\\d+)`).exec(frame)?.[1] ?? -1)
}

function textOf(frame: string, key: string): string {
  return new RegExp(`"${key}":"([^"]*)"`).exec(frame)?.[1] ?? ''
}

/** Another way to the canonical form than the one under test; every text of the capture has a point. */
function trimmed(text: string): string {
  return text.replace(/\.?0+$/, '')
}

function levelOf(change: LevelChange): string {
  return `${change.side} ${change.price} ${change.quantity}`
}

function levelsOf(frame: string): string[] {
  const [bids = '', asks = ''] = frame.slice(frame.indexOf('"b":')).split('"a":')
  return [...sideOf('bid', bids), ...sideOf('ask', asks)]
}

function sideOf(side: string, text: string): string[] {
  return [...text.matchAll(/\["([^"]*)","([^"]*)"\]/g)].map(([, price = '', quantity = '']) => {
    return `${side} ${trimmed(price)} ${/[1-9]/.test(quantity) ? trimmed(quantity) : '0'}`
  })
}

function suffixOf(details: string): string {
  return details.includes('"product_type":"swap"') ? 'PERP' : ''
}

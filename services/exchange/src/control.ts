import type { RestAnswer } from '@booktape/venue'
import { errorAnswer, refusalFor, unknownSymbol, V1Connection, WsConnection } from '@booktape/venue'
import { OrderEventsConnection } from './account-feeds.ts'
import type { Exchange } from './exchange.ts'
import { FAULTS, readFaultRequest } from './faults.ts'
import { MAX_SCRIPTED_ORDERS, type TradingScript } from './scripted-trader.ts'

/** One fault request is a few hundred bytes. */
export const MAX_CONTROL_BODY_BYTES = 65_536

/**
 * What a drill asks of the simulator itself. Ids and times are JSON strings, so that every reader gets them exactly.
 *
 *   POST   /control/faults                     arms a fault, or lets it act at once
 *   GET    /control/faults                     the faults there are, those that wait, and how often each took effect
 *   DELETE /control/faults                     disarms those that wait
 *   GET    /control/book/:symbol?update_id=    the true book after an update; the newest without the id
 *   GET    /control/trades/:symbol             the true trades, oldest first
 *   GET    /control/quotes                     the instant quotes that were offered, oldest first
 *   POST   /control/trader                     {"orders":100,"perSecond":5}: a trader places so many orders
 *   GET    /control/trader                     whether it does, its orders, their fills, and every balance that was told
 *   GET    /control/state                      symbols and connections
 */
export function controlAnswer(
  exchange: Exchange,
  method: string,
  path: string,
  query: URLSearchParams,
  body: string | null,
): RestAnswer {
  const [, place, symbol] = /^\/control\/(faults|state|book|trades|quotes|trader)(?:\/([^/]+))?$/.exec(path) ?? []
  if (place === 'faults' && symbol === undefined) return faultsAnswer(exchange, method, body)
  if (place === 'trader' && symbol === undefined) return traderAnswer(exchange, method, body)
  if (method !== 'GET') return refusalFor(404, null)
  if (place === 'state' && symbol === undefined) return json(stateOf(exchange))
  if (place === 'quotes' && symbol === undefined) return json(exchange.truth.quotes())
  if (symbol === undefined || place === 'quotes') return refusalFor(404, null)
  if (!exchange.symbols.includes(symbol.toLowerCase())) return unknownSymbol(symbol)
  return place === 'book' ? bookAnswer(exchange, symbol, query.get('update_id')) : json(exchange.truth.trades(symbol))
}

function traderAnswer(exchange: Exchange, method: string, body: string | null): RestAnswer {
  const { truth } = exchange
  if (method === 'GET') {
    const { isTrading } = exchange
    return json({ isTrading, orders: truth.orders(), fills: truth.fills(), balances: truth.balances() })
  }
  if (method !== 'POST') return refusalFor(404, null)
  const script = readScript(body)
  if (typeof script === 'string') return errorAnswer(400, 'InvalidScript', script)
  exchange.trade(script)
  return json(script)
}

function readScript(body: string | null): TradingScript | string {
  const usage = `a script is {"orders":100,"perSecond":5}: 1 to ${MAX_SCRIPTED_ORDERS} orders, 0.01 to 1000 a second`
  try {
    const { orders, perSecond } = JSON.parse(body ?? '') as Partial<Record<'orders' | 'perSecond', unknown>>
    const isCount =
      typeof orders === 'number' && Number.isInteger(orders) && orders >= 1 && orders <= MAX_SCRIPTED_ORDERS
    const isPace = typeof perSecond === 'number' && perSecond >= 0.01 && perSecond <= 1_000
    return isCount && isPace ? { orders, perSecond } : usage
  } catch {
    return usage
  }
}

function faultsAnswer({ faults }: Exchange, method: string, body: string | null): RestAnswer {
  switch (method) {
    case 'GET':
      return json({ faults: FAULTS, armed: faults.armed, counts: faults.counts })
    case 'DELETE':
      faults.clear()
      return json({ armed: faults.armed })
    case 'POST': {
      const request = body === null ? `the body is longer than ${MAX_CONTROL_BODY_BYTES} bytes` : parse(body)
      if (typeof request === 'string') return errorAnswer(400, 'InvalidFault', request)
      const injected = faults.inject(request)
      return typeof injected === 'string' ? errorAnswer(400, 'InvalidFault', injected) : json(injected)
    }
    default:
      return refusalFor(404, null)
  }
}

function parse(body: string): ReturnType<typeof readFaultRequest> {
  try {
    return readFaultRequest(JSON.parse(body))
  } catch {
    return 'the body is not JSON; a fault is an object, as {"fault":"drop","feed":"ws","kind":"depth"}'
  }
}

function bookAnswer({ truth }: Exchange, symbol: string, updateIdText: string | null): RestAnswer {
  if (updateIdText !== null && !/^\d{1,19}$/.test(updateIdText)) {
    return errorAnswer(400, 'InvalidUpdateId', 'update_id is a whole number')
  }
  const updateId = updateIdText === null ? truth.lastUpdateId(symbol) : BigInt(updateIdText)
  try {
    return json({ symbol: symbol.toLowerCase(), updateId, ...truth.bookAfter(symbol, updateId) })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return errorAnswer(404, 'NoSuchBook', error.message)
  }
}

function stateOf(exchange: Exchange): unknown {
  return {
    nowNs: exchange.nowNs,
    ...exchange.truth.privateCounts(),
    symbols: exchange.symbols.map((symbol) => ({
      symbol,
      lastUpdateId: exchange.truth.lastUpdateId(symbol),
      ...exchange.truth.counts(symbol),
    })),
    connections: exchange.connections.map((connection) => ({
      id: connection.id,
      feed: connection.feed,
      isSilent: connection.isSilent,
      ...(connection instanceof V1Connection ? { symbol: connection.symbol } : {}),
      ...(connection instanceof OrderEventsConnection ? { path: '/v1/order/events' } : {}),
      ...(connection instanceof WsConnection ? { subscriptions: connection.subscriptions } : {}),
    })),
  }
}

function json(value: unknown): RestAnswer {
  const body = JSON.stringify(value, (_key, field: unknown) => (typeof field === 'bigint' ? field.toString() : field))
  return { status: 200, headers: { 'content-type': 'application/json' }, body }
}

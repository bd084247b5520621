import { Connection, type Surroundings, type WsAccountStream, type WsConnection } from '@booktape/venue'
import type { TrueBalance } from './account-funds.ts'
import type { AccountListener, TrueOrder, TrueOrderEvent } from './trading-desk.ts'

// What an account is told on both feeds (docs/gemini.md, claims 35, 37 and 38).

/** The number of the account, as the acknowledgement names it. */
const ACCOUNT_ID = 19_433_282
const NS_PER_MS = 1_000_000n
const MS_PER_S = 1_000n

/** `/v1/order/events`: every event in one sequence that begins after the acknowledgement. The client says nothing. */
export class OrderEventsConnection extends Connection {
  readonly #apiSession: string
  readonly #heartbeat: boolean
  #nextSequence = 0

  constructor(id: number, apiSession: string, heartbeat: boolean, surroundings: Surroundings) {
    super(id, 'v1', surroundings)
    this.#apiSession = apiSession
    this.#heartbeat = heartbeat
  }

  concerns(): boolean {
    return false
  }

  begin(active: readonly TrueOrder[], nowNs: bigint): void {
    const subscriptionId = `orderevents-websocket-${this.id}`
    const filters = { symbolFilter: [], apiSessionFilter: [this.#apiSession], eventTypeFilter: [] }
    this.send(
      'response',
      null,
      JSON.stringify({ type: 'subscription_ack', accountId: ACCOUNT_ID, subscriptionId, ...filters }),
    )
    if (active.length === 0) return
    this.send('snapshot', null, `[${active.map((order) => this.#text('initial', order, nowNs, {})).join(',')}]`)
  }

  onOrders(events: readonly TrueOrderEvent[]): void {
    const texts = events.map(({ type, order, timeNs, eventId, fill, reason }) =>
      this.#text(type, order, timeNs, {
        event_id: eventId.toString(),
        ...(reason === null ? {} : { reason }),
        ...(fill === null
          ? {}
          : {
              fill: {
                trade_id: fill.tradeId.toString(),
                liquidity: fill.isMaker ? 'Maker' : 'Taker',
                price: fill.price,
                amount: fill.quantity,
                fee: fill.fee,
                fee_currency: fill.feeCurrency,
              },
            }),
      }),
    )
    this.send('order', null, `[${texts.join(',')}]`)
  }

  onBeat(nowNs: bigint): void {
    if (!this.#heartbeat) return
    const sequence = this.#nextSequence++
    const timestampms = Number(nowNs / NS_PER_MS) // milliseconds: exact
    this.send(
      'heartbeat',
      null,
      JSON.stringify({ type: 'heartbeat', timestampms, sequence, trace_id: `${this.id}`, socket_sequence: sequence }),
    )
  }

  protected onText(): void {
    // Nobody is listened to here.
  }

  #text(type: string, order: TrueOrder, timeNs: bigint, more: Readonly<Record<string, unknown>>): string {
    const ms = timeNs / NS_PER_MS
    return JSON.stringify({
      type,
      order_id: order.orderId.toString(),
      ...(order.clientOrderId === null ? {} : { client_order_id: order.clientOrderId }),
      api_session: this.#apiSession,
      symbol: order.symbol,
      side: order.side,
      order_type: order.isLimit ? 'exchange limit' : 'market sell',
      timestamp: (ms / MS_PER_S).toString(),
      timestampms: Number(ms),
      is_live: order.isLive,
      is_cancelled: order.state === 'cancelled',
      is_hidden: false,
      ...(order.price === null ? {} : { price: order.price }),
      executed_amount: order.executedQuantity,
      remaining_amount: order.remainingQuantity,
      original_amount: order.originalQuantity,
      ...more,
      socket_sequence: this.#nextSequence++,
    })
  }
}

/** Everybody who listens to the account, on either feed. */
export class AccountFeeds implements AccountListener {
  readonly #v1 = new Set<OrderEventsConnection>()
  readonly #orders = new Set<WsConnection>()
  readonly #balances = new Set<WsConnection>()
  /** By the name under which a connection subscribes. */
  readonly streams: ReadonlyMap<string, WsAccountStream>

  constructor(
    standing: Readonly<{ activeOrders(): readonly TrueOrder[]; balances(): readonly TrueBalance[]; nowNs(): bigint }>,
  ) {
    this.streams = new Map([
      [
        'orders@account',
        streamOf(this.#orders, (connection) => {
          const orders = standing
            .activeOrders()
            .map((order) => wsOrder(order, OPEN_STATUS[order.state], standing.nowNs(), ''))
          connection.publish('snapshot', null, `{"e":"orderSnapshot","orders":[${orders.join(',')}]}`)
        }),
      ],
      [
        'balances@account',
        streamOf(this.#balances, (connection) => {
          connection.publish('balance', null, wsBalances(standing.balances(), standing.nowNs()))
        }),
      ],
    ])
  }

  join(connection: OrderEventsConnection): void {
    this.#v1.add(connection)
  }

  leave(connection: OrderEventsConnection): void {
    this.#v1.delete(connection)
  }

  onBeat(nowNs: bigint): void {
    for (const connection of this.#v1) connection.onBeat(nowNs)
  }

  onOrders(events: readonly TrueOrderEvent[]): void {
    for (const connection of this.#v1) connection.onOrders(events)
    if (this.#orders.size === 0) return
    for (const event of events) {
      const text = wsEvent(event)
      if (text !== null) for (const connection of this.#orders) connection.publish('order', null, text)
    }
  }

  onBalances(changed: readonly TrueBalance[]): void {
    const text = wsBalances(changed, changed[0]?.updatedTimeNs ?? 0n)
    for (const connection of this.#balances) connection.publish('balance', null, text)
  }
}

function streamOf(listeners: Set<WsConnection>, begin: (connection: WsConnection) => void): WsAccountStream {
  return {
    join: (connection) => {
      listeners.add(connection)
      begin(connection)
    },
    leave: (connection) => listeners.delete(connection),
  }
}

const OPEN_STATUS: Readonly<Record<TrueOrder['state'], string>> = {
  accepted: 'NEW',
  open: 'OPEN',
  partially_filled: 'PARTIALLY_FILLED',
  filled: 'FILLED',
  cancelled: 'CANCELED',
  rejected: 'REJECTED',
}

/** The new API has no words for the end of an order that it has told of already, nor for a cancellation that is refused. */
function wsEvent({ type, order, timeNs, fill, reason }: TrueOrderEvent): string | null {
  if (type === 'closed' || type === 'cancel_rejected') return null
  if (type === 'booked' && order.state === 'partially_filled') return null
  const told =
    fill === null
      ? ''
      : `,"Z":"${fill.quantity}","L":"${fill.price}","t":${fill.tradeId},"n":"${fill.fee}","m":${fill.isMaker}`
  const why = reason === null ? '' : `,"r":"${reason}"`
  return wsOrder(order, OPEN_STATUS[order.state], timeNs, told + why)
}

/** Fields that are empty or zero are left out. */
function wsOrder(order: TrueOrder, status: string, timeNs: bigint, more: string): string {
  const { orderId, clientOrderId, symbol, side, isLimit, price, originalQuantity, remainingQuantity } = order
  const client = clientOrderId === null ? '' : `,"c":${JSON.stringify(clientOrderId)}`
  const limit = price === null ? '' : `,"p":"${price}"`
  const left = remainingQuantity === '0' ? '' : `,"z":"${remainingQuantity}"`
  return (
    `{"e":"orderUpdate","E":${timeNs},"s":"${symbol}","i":${orderId}${client},"S":"${side === 'buy' ? 'BUY' : 'SELL'}",` +
    `"o":"${isLimit ? 'LIMIT' : 'MARKET'}","X":"${status}"${limit},"q":"${originalQuantity}"${left}${more},"T":${timeNs}}`
  )
}

function wsBalances(balances: readonly TrueBalance[], timeNs: bigint): string {
  const rows = balances.map(({ asset, available, current }) => `{"a":"${asset}","f":"${available}","c":"${current}"}`)
  return `{"e":"balanceUpdate","E":${timeNs},"u":${timeNs},"B":[${rows.join(',')}]}`
}

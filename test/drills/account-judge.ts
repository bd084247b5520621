import type { Truth } from '@booktape/exchange'
import type { AccountScene } from './account-scene.ts'

type TrueEvent = ReturnType<Truth['orderEvents']>[number]

/**
 * What the account's tables hold against what happened at the exchange. v1 numbers its messages, so whatever is missing of it must lie in
 * a gap; the new API numbers nothing. After its gaps REST was asked, so every fill and every order must be there in the end, exactly; but for
 * orders that the venue did not take, which no list of the past has.
 */
export async function judgeOrders(scene: AccountScene, say: (sentence: string) => void): Promise<string[]> {
  const { truth } = scene.exchange.exchange
  const heard = await heardEvents(scene, truth.orderEvents())
  const violations = [
    ...heard.violations,
    ...(await missingRuns(scene, truth.orderEvents(), heard.v1)),
    ...(await judgeFills(scene, truth, heard, say)),
    ...(await judgeStates(scene, truth, heard, say)),
    ...(await judgeBalances(scene, truth, say)),
  ]
  const [gaps] = await scene.rows<{ v1: string; ws: string; open: string }>(
    `select count(*) filter (where feed = 'v1') as v1, count(*) filter (where feed = 'ws') as ws,
       count(*) filter (where state <> 'filled' and cause not in ('stop', 'first_start')) as open from account.gaps`,
  )
  if (gaps?.open !== '0') violations.push(`${gaps?.open} gaps are not filled`)
  say(
    `${gaps?.v1} gaps of v1 and ${gaps?.ws} of the new API, each with its beginning, its end and its cause, and filled`,
  )
  return violations
}

/** When each event was received on each feed. */
type Heard = Readonly<{
  v1: ReadonlyMap<string, bigint> // by event id
  ws: ReadonlySet<string> // by order and time
  violations: readonly string[]
}>

const wsKey = (orderId: bigint | string, timeNs: bigint | string): string => `${orderId} ${timeNs}`
/** The new API has no word for these. */
const V1_ALONE: readonly TrueEvent['type'][] = ['closed', 'cancel_rejected']
const isOnWs = ({ type, order }: TrueEvent): boolean =>
  !V1_ALONE.includes(type) && !(type === 'booked' && order.state === 'partially_filled')

async function heardEvents(scene: AccountScene, events: readonly TrueEvent[]): Promise<Heard> {
  const rows = await scene.rows<{
    feed: string
    event_type: string
    order_id: string
    event_id: string | null
    venue_time_ns: string | null
    received_time_ns: string
  }>('select feed, event_type, order_id, event_id, venue_time_ns, received_time_ns from account.order_events')
  const byId = new Map(events.map((event) => [String(event.eventId), event]))
  const onWs = new Set(events.filter(isOnWs).map(({ order, timeNs }) => wsKey(order.orderId, timeNs)))
  const v1 = new Map<string, bigint>()
  const ws = new Set<string>()
  const violations: string[] = []
  for (const row of rows) {
    if (row.feed === 'rest' || ['initial', 'snapshot', 'ended_unseen'].includes(row.event_type)) continue
    if (row.feed === 'v1') {
      const id = row.event_id ?? ''
      const event = byId.get(id)
      if (event === undefined || event.type !== row.event_type || String(event.order.orderId) !== row.order_id)
        violations.push(`stored and never happened: v1 ${row.event_type} of order ${row.order_id}`)
      if (v1.has(id)) violations.push(`stored twice: event ${id}`)
      v1.set(id, BigInt(row.received_time_ns))
    } else {
      const key = wsKey(row.order_id, row.venue_time_ns ?? '')
      if (!onWs.has(key)) violations.push(`stored and never happened: ws ${row.event_type} of order ${row.order_id}`)
      if (ws.has(key)) violations.push(`stored twice: update ${key}`)
      ws.add(key)
    }
  }
  return { v1, ws, violations }
}

/** Events that v1 never told, run by run: between the last one before and the first one after, a gap says so. */
async function missingRuns(
  scene: AccountScene,
  events: readonly TrueEvent[],
  heard: ReadonlyMap<string, bigint>,
): Promise<string[]> {
  const gaps = await scene.rows<{ from_ns: string; to_ns: string }>(
    `select (extract(epoch from started_at) * 1e9)::bigint as from_ns, (extract(epoch from ended_at) * 1e9)::bigint as to_ns
     from account.gaps where feed = 'v1' and started_at > '-infinity' and ended_at is not null`,
  )
  const violations: string[] = []
  let before = 0n
  let missing = 0
  for (const event of [...events, null]) {
    const at = event === null ? 2n ** 62n : heard.get(String(event.eventId))
    if (at === undefined) {
      missing++
      continue
    }
    // Gaps are told to the microsecond.
    const isTold = gaps.some((gap) => BigInt(gap.from_ns) >= before - 1_000n && BigInt(gap.to_ns) <= at)
    if (missing > 0 && !isTold)
      violations.push(`${missing} events are missing before ${event?.eventId ?? 'the end'}, and no gap says so`)
    before = at
    missing = 0
  }
  return violations
}

type StoredFill = Readonly<{
  order_id: string
  trade_id: string
  symbol: string
  side: string
  price: string
  quantity: string
  fee: string
  fee_currency: string | null
  liquidity: string
  venue_time_ns: string
  is_joined: boolean
  trade_price: string
  trade_quantity: string
}>

async function judgeFills(
  scene: AccountScene,
  truth: Truth,
  heard: Heard,
  say: (sentence: string) => void,
): Promise<string[]> {
  const rows = await scene.rows<StoredFill>('select * from account.fill_trades')
  const stored = new Map(rows.map((row) => [`${row.order_id} ${row.trade_id}`, row]))
  const violations: string[] = []
  let listed = 0
  for (const { eventId, timeNs, fill } of truth.orderEvents()) {
    if (fill === null) continue
    const key = `${fill.orderId} ${fill.tradeId}`
    const onV1 = heard.v1.has(String(eventId))
    const onWs = heard.ws.has(wsKey(fill.orderId, timeNs))
    const row = stored.get(key)
    stored.delete(key)
    if (row === undefined) {
      violations.push(`fill ${key} is not stored`)
      continue
    }
    if (!onV1 && !onWs) listed++
    const time = onWs ? timeNs : timeNs - (timeNs % 1_000_000n)
    const expected = [
      fill.symbol,
      fill.side,
      fill.price,
      fill.quantity,
      fill.fee,
      fill.isMaker ? 'maker' : 'taker',
      String(time),
    ]
    const found = [row.symbol, row.side, row.price, row.quantity, row.fee, row.liquidity, row.venue_time_ns]
    if (found.join() !== expected.join()) violations.push(`fill ${key} is ${found.join()}, and was ${expected.join()}`)
    if (onV1 && row.fee_currency !== fill.feeCurrency) violations.push(`fill ${key} has fees in ${row.fee_currency}`)
    if (!row.is_joined || row.trade_price !== fill.price || row.trade_quantity !== fill.quantity)
      violations.push(`fill ${key} is not joined to its trade`)
  }
  for (const key of stored.keys()) violations.push(`fill ${key} never happened`)
  say(
    `${rows.length} fills stored and joined to their trades of ${truth.fills().length}; ${listed} of them told by REST alone, after a gap`,
  )
  return violations
}

/** Every order as it is at the exchange. */
async function judgeStates(
  scene: AccountScene,
  truth: Truth,
  heard: Heard,
  say: (sentence: string) => void,
): Promise<string[]> {
  const rows = await scene.rows<{
    order_id: string
    client_order_id: string | null
    symbol: string
    side: string
    price: string | null
    original_quantity: string
    executed_quantity: string
    state: string
  }>('select *, trim_scale(executed_quantity)::text as executed_quantity from account.orders')
  const stored = new Map(rows.map((row) => [row.order_id, row]))
  const events = Map.groupBy(truth.orderEvents(), ({ order }) => order.orderId)
  const violations: string[] = []
  let listed = 0
  let refused = 0
  for (const order of truth.orders()) {
    const own = events.get(order.orderId) ?? []
    const onV1 = own.some(({ eventId }) => heard.v1.has(String(eventId)))
    const onWs = own.some((event) => isOnWs(event) && heard.ws.has(wsKey(order.orderId, event.timeNs)))
    const row = stored.get(String(order.orderId))
    stored.delete(String(order.orderId))
    if (row === undefined) {
      if (order.state === 'rejected' && !onV1 && !onWs) refused++
      else violations.push(`order ${order.orderId}, ${order.state}, is not stored`)
      continue
    }
    if (!onV1 && !onWs) listed++
    const { clientOrderId, symbol, side, price, originalQuantity, state, executedQuantity } = order
    const expected = [clientOrderId, symbol, side, price, originalQuantity, state, executedQuantity].join()
    const { client_order_id, original_quantity, executed_quantity } = row
    const found = [client_order_id, row.symbol, row.side, row.price, original_quantity, row.state, executed_quantity]
    if (found.join() !== expected) violations.push(`order ${order.orderId} is ${found.join()}, and was ${expected}`)
  }
  for (const orderId of stored.keys()) violations.push(`order ${orderId} never was`)
  say(
    `${rows.length} orders stored of ${truth.orders().length}, ${listed} of them told by REST alone; ` +
      `${refused} that the venue had not taken, in a gap of both feeds`,
  )
  return violations
}

async function judgeBalances(scene: AccountScene, truth: Truth, say: (sentence: string) => void): Promise<string[]> {
  const rows = await scene.rows<{ asset: string; available: string; current: string }>(
    'select asset, available, current from account.balances order by updated_time_ns, received_time_ns',
  )
  const happened = new Set(truth.balances().map(({ asset, available, current }) => `${asset} ${available} ${current}`))
  for (const asset of ['BTC', 'ETH', 'USD']) happened.add(`${asset} 1000000000 1000000000`) // the first
  const text = ({ asset, available, current }: (typeof rows)[number]): string => `${asset} ${available} ${current}`
  const violations = rows.filter((row) => !happened.has(text(row))).map((row) => `balance ${text(row)} never was`)
  const last = new Map(rows.map((row) => [row.asset, text(row)]))
  for (const balance of truth.balances().toReversed()) {
    const stored = last.get(balance.asset)
    if (stored !== undefined && stored !== text(balance))
      violations.push(`the last balance is ${stored}, and was ${text(balance)}`)
    last.delete(balance.asset) // only its newest counts
  }
  say(`${rows.length} balances stored, the last of each asset as it is at the exchange`)
  return violations
}

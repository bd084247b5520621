import type { Credentials } from '@booktape/gemini'
import { decodePastFills, decodePastOrders, MAX_PAST_ROWS, redactFrame } from '@booktape/gemini'
import { VenueProtocolError } from '@booktape/market'
import type { Clock, Logger } from '@booktape/runtime'
import { StoreError, type UnfilledGaps } from '@booktape/store'
import type { AccountEvent, AccountFeed, HistoryList } from './event.ts'
import type { PrivateClient } from './private-client.ts'
import { OPERATOR_PAUSE_MS } from './quoter.ts'

/** How often gaps are looked for: one that has just ended is filled within seconds. */
const LOOK_MS = 2_000
/** Clocks differ, and what is listed twice is stored once. */
const MARGIN_NS = 60_000_000_000n
/** How long before a gap an order may have been submitted and be looked for: a list of months is read by nobody in passing. */
export const LOOKBACK_NS = 86_400_000_000_000n
/** Pages of one list: far more than an account does in any gap that a machine survives. */
const MAX_PAGES = 200
const NS_PER_MS = 1_000_000n

const LISTS = {
  orders: { path: '/v1/orders/history', limit: 'limit_orders' },
  fills: { path: '/v1/mytrades', limit: 'limit_trades' },
} as const

export type HistorianParts = Readonly<{
  client: Pick<PrivateClient, 'post'>
  credentials: Credentials
  clock: Pick<Clock, 'wallNs' | 'monoNs' | 'sleep'>
  note: (event: AccountEvent) => void
  unfilledGaps: () => Promise<UnfilledGaps | null>
  isHeld: () => boolean // nothing can be written down now, so nothing is asked
  log: Logger
}>

/**
 * Asks REST, after gaps, what happened in them: the orders that ended and their fills. A gap whose lists were read to their end is
 * filled. Postgres says which gaps there are, so a restart changes nothing.
 */
export async function keepHistory(parts: HistorianParts, signal: AbortSignal): Promise<void> {
  const { clock } = parts
  while (!signal.aborted) {
    const pauseMs = parts.isHeld() ? LOOK_MS : await fillOnce(parts, signal)
    await clock.sleep(pauseMs, signal).catch(() => undefined)
  }
}

/** Fills what there is to be filled; gives how long to wait before looking again. */
async function fillOnce(parts: HistorianParts, signal: AbortSignal): Promise<number> {
  const { clock, note, log } = parts
  try {
    const wanted = await parts.unfilledGaps()
    if (wanted === null) return LOOK_MS
    for (const [list, fromNs] of [
      ['orders', wanted.ordersFromNs],
      ['fills', wanted.fromNs],
    ] as const) {
      if (!(await readList(parts, list, (fromNs - MARGIN_NS) / NS_PER_MS, signal))) return OPERATOR_PAUSE_MS
    }
    const gaps = wanted.gaps.map((gap) => ({ ...gap, feed: gap.feed as AccountFeed }))
    note({ kind: 'history_read', at: { wallNs: clock.wallNs(), monoNs: clock.monoNs() }, gaps })
    log.info({ gaps: gaps.length }, 'REST told what happened in gaps')
    return LOOK_MS
  } catch (error) {
    if (signal.aborted) return 0
    if (!(error instanceof StoreError) && !(error instanceof VenueProtocolError)) throw error
    log[error instanceof StoreError && error.code === 'AWAY' ? 'debug' : 'warn'](
      { reason: error.message },
      'gaps of the account cannot be filled now',
    )
    return OPERATOR_PAUSE_MS
  }
}

/** All pages from that time on, each into the journal. False where the venue did not answer; the log says why. */
async function readList(
  { client, credentials, clock, note, log }: HistorianParts,
  list: HistoryList,
  fromMs: bigint,
  signal: AbortSignal,
): Promise<boolean> {
  const { path, limit } = LISTS[list]
  let cursorMs = fromMs
  for (let page = 0; page < MAX_PAGES; page++) {
    const reply = await client.post(path, { timestamp: Number(cursorMs), [limit]: MAX_PAST_ROWS }, signal)
    if (reply.kind !== 'answered') {
      const reason = reply.kind === 'refused' ? reply.refusal.sentence : reply.reason
      if (!signal.aborted) log.warn({ reason }, 'gaps of the account cannot be filled now')
      return false
    }
    const body = redactFrame(reply.body, credentials)
    note({ kind: 'history_page', at: { wallNs: reply.receivedNs, monoNs: clock.monoNs() }, list, body })
    const times = timesOf(list, body)
    if (times.length < MAX_PAST_ROWS) return true
    const newestMs = times.reduce((newest, timeNs) => (timeNs > newest ? timeNs : newest), 0n) / NS_PER_MS
    // The next page repeats the last millisecond, which may go on, unless it is all there was.
    cursorMs = newestMs > cursorMs ? newestMs : cursorMs + 1n
  }
  log.warn({ list, pages: MAX_PAGES }, 'a list of the past is longer than is read: the gaps stay as they are')
  return false
}

function timesOf(list: HistoryList, body: string): readonly bigint[] {
  return list === 'orders'
    ? decodePastOrders(body).map(({ submittedTimeNs }) => submittedTimeNs)
    : decodePastFills(body).map(({ venueTimeNs }) => venueTimeNs)
}

import { decodeInstantQuote, decodePastFills, decodePastOrders } from '@booktape/gemini'
import { VenueProtocolError } from '@booktape/market'
import { type AccountRows, cleanText, noAccountRows, timestampText } from '@booktape/store'
import { ACCOUNT_FEEDS, type AccountEvent, type AccountFeed, type Damaged, type StreamEvent } from './event.ts'
import { addPastFill, addPastOrder } from './order-rows.ts'
import {
  type AccountStep,
  type Context,
  goLive,
  hangUp,
  moveLink,
  newStream,
  onTick,
  openGap,
  park,
  rest,
  type Stream,
  wake,
} from './stream.ts'
import { onV1Frame } from './v1-stream.ts'
import { onWsFrame, ping, subscribe } from './ws-stream.ts'

/** What is true after an entry: stored with the journal's position, so that storing can go on from there (`state-text.ts`). */
export type AccountState = {
  keyFingerprint: string
  streams: Partial<Record<AccountFeed, Stream>>
}

export const NEW_STATE: AccountState = { keyFingerprint: 'unknown', streams: {} }

/** The beginning of what could not be read. */
export const MAX_QUARANTINED_BYTES = 4_096
/** Our own sentences, with what the venue said. */
const MAX_EXPLANATION = 1_000

/**
 * What follows from the entry at `position`; moves the state by it. The same entries give the same rows, whenever they are read: the live
 * edge takes the orders of one pass, Postgres the rows of another.
 */
export function advance(state: AccountState, position: number, event: AccountEvent | Damaged): AccountStep {
  const step: AccountStep = { rows: noAccountRows(), orders: [], observations: [] }
  switch (event.kind) {
    case 'quote_refused':
      step.rows.quote_failures.push(failureRow(state, position, event))
      break
    case 'quote_answered':
      try {
        step.rows.instant_quotes.push(quoteRow(state, position, event))
      } catch (error) {
        quarantine(error, 'instant_quote', event.body, { position, at: event.at, step })
      }
      break
    case 'started':
      state.keyFingerprint = event.keyFingerprint
      begin(state, event.urls, contextOf(state, position, event, step))
      break
    case 'history_page':
      readHistory(event, contextOf(state, position, event, step))
      break
    case 'history_read':
      for (const { journalId, position: gap, feed } of event.gaps)
        step.rows.gap_fills.push({ gap_journal_id: journalId, position: gap, feed })
      break
    case 'stopped':
    case 'suspended':
    case 'resumed':
    case 'damaged':
      for (const stream of Object.values(state.streams))
        interrupt(stream, event.kind, contextOf(state, position, event, step))
      break
    default:
      moveStreams(state, event, contextOf(state, position, event, step))
  }
  return step
}

function contextOf(state: AccountState, position: number, { at }: AccountEvent | Damaged, step: AccountStep): Context {
  return { position, keyFingerprint: state.keyFingerprint, at, step }
}

/** A run begins: what the one before it left open was not heard since; feeds that are not asked for stay as they are. */
function begin(state: AccountState, urls: Readonly<Partial<Record<AccountFeed, string>>>, context: Context): void {
  for (const feed of ACCOUNT_FEEDS) {
    const known = state.streams[feed]
    const url = urls[feed]
    if (known !== undefined) rest(known, 'restart', context)
    if (url === undefined) continue
    const stream = known ?? newStream(feed, url, context)
    stream.url = url
    wake(stream, context)
    state.streams[feed] = stream
  }
}

function interrupt(stream: Stream, kind: 'stopped' | 'suspended' | 'resumed' | 'damaged', context: Context): void {
  if (stream.link.phase === 'off') return // not asked for in this run
  switch (kind) {
    case 'stopped':
      return rest(stream, 'stop', context, context.at.wallNs)
    case 'suspended':
      return park(stream, 'journal_full', context)
    case 'damaged':
      return park(stream, 'journal_damaged', context)
    case 'resumed':
      return wake(stream, context)
  }
}

/** What is known already is stored no second time, so a page may be read again and again. */
function readHistory({ list, body }: Extract<AccountEvent, { kind: 'history_page' }>, context: Context): void {
  try {
    if (list === 'orders') for (const [i, order] of decodePastOrders(body).entries()) addPastOrder(order, i, context)
    else for (const fill of decodePastFills(body)) addPastFill(fill, context)
  } catch (error) {
    quarantine(error, `past_${list}`, body, context)
  }
}

function moveStreams(state: AccountState, event: StreamEvent, context: Context): void {
  if (event.kind === 'tick') {
    for (const stream of Object.values(state.streams)) {
      if (onTick(stream, context) && stream.feed === 'ws' && stream.link.phase === 'open') ping(stream.link, context)
    }
    return
  }
  const stream =
    event.kind === 'dialing'
      ? state.streams[event.feed]
      : Object.values(state.streams).find((each) => connectionOf(each) === event.connection)
  if (stream === undefined) return // the last words of a connection that we have given up
  if (event.kind === 'frame') return onFrame(stream, event.text, context)
  if (moveLink(stream, event, context) && stream.feed === 'ws' && stream.link.phase === 'open')
    subscribe(stream.link, context)
}

function connectionOf({ link }: Stream): number | null {
  return link.phase === 'open' || link.phase === 'connecting' ? link.connection : null
}

function onFrame(stream: Stream, text: string, context: Context): void {
  if (stream.link.phase === 'open') {
    stream.link.heardNs = context.at.monoNs
    stream.link.pingedNs = context.at.monoNs
  }
  try {
    if (stream.feed === 'v1') onV1Frame(stream, text, context)
    else onWsFrame(stream, text, context)
  } catch (error) {
    quarantine(error, `${stream.feed}_account`, text, context)
    // What it told is lost. v1 no longer knows its place either; the new API has none to lose.
    if (stream.feed === 'v1') hangUp(stream, 'unreadable', context)
    else {
      openGap(stream, 'unreadable', context)
      goLive(stream, context)
    }
  }
  if (stream.gap === null) stream.heardWallNs = context.at.wallNs
}

/** Keeps what the venue sent and we cannot read; anything else is a fault of ours. */
function quarantine(
  error: unknown,
  source: string,
  text: string,
  { position, at, step }: Pick<Context, 'position' | 'at' | 'step'>,
): void {
  if (!(error instanceof VenueProtocolError)) throw error
  step.rows.quarantine.push(quarantineRow(position, at.wallNs, source, `${error.code}: ${error.message}`, text))
}

function quoteRow(
  state: AccountState,
  position: number,
  { ask, sentNs, body, at }: Extract<AccountEvent, { kind: 'quote_answered' }>,
): AccountRows['instant_quotes'][number] {
  const quote = decodeInstantQuote(body)
  if (quote.side !== ask.side || quote.pair.toLowerCase() !== ask.symbol)
    throw new VenueProtocolError(
      'WRONG_TYPE',
      `asked to ${ask.side} ${ask.symbol}, offered to ${quote.side} ${quote.pair}`,
    )
  return {
    position,
    key_fingerprint: state.keyFingerprint,
    symbol: ask.symbol,
    side: ask.side,
    requested_time: timestampText(BigInt(sentNs)),
    requested_time_ns: sentNs,
    received_time: timestampText(at.wallNs),
    received_time_ns: String(at.wallNs),
    quote_id: String(quote.quoteId),
    max_age_ms: String(quote.maxAgeMs),
    pair: quote.pair,
    price: quote.price,
    price_currency: quote.priceCurrency,
    quantity: quote.quantity,
    quantity_currency: quote.quantityCurrency,
    fee: quote.fee,
    fee_currency: quote.feeCurrency,
    deposit_fee: quote.depositFee,
    deposit_fee_currency: quote.depositFeeCurrency,
    total_spend: quote.totalSpend,
    total_spend_currency: quote.totalSpendCurrency,
  }
}

function failureRow(
  state: AccountState,
  position: number,
  event: Extract<AccountEvent, { kind: 'quote_refused' }>,
): AccountRows['quote_failures'][number] {
  const { ask, sentNs, at } = event
  return {
    position,
    key_fingerprint: state.keyFingerprint,
    symbol: ask.symbol,
    side: ask.side,
    total_spend: ask.totalSpend,
    requested_time: timestampText(BigInt(sentNs)),
    requested_time_ns: sentNs,
    received_time: timestampText(at.wallNs),
    received_time_ns: String(at.wallNs),
    status: event.status,
    reason: event.reason,
    explanation: cleanText(event.explanation, MAX_EXPLANATION),
  }
}

/** What could not be used, as it came, from its beginning. */
export function quarantineRow(
  position: number,
  wallNs: bigint,
  source: string,
  reason: string,
  text: string,
): AccountRows['quarantine'][number] {
  const payload = Buffer.from(text, 'utf8').subarray(0, MAX_QUARANTINED_BYTES).toString('hex')
  return {
    position,
    received_time: timestampText(wallNs),
    source,
    reason: cleanText(reason, MAX_EXPLANATION),
    payload: `\\x${payload}`,
  }
}

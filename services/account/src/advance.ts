import { decodeInstantQuote } from '@booktape/gemini'
import { VenueProtocolError } from '@booktape/market'
import { type AccountRows, cleanText, noAccountRows, timestampText } from '@booktape/store'
import type { AccountEvent } from './event.ts'

/** What is true after an entry, as JSON: stored with the journal's position, so that storing can go on from there. */
export type AccountState = { keyFingerprint: string }

export const NEW_STATE: AccountState = { keyFingerprint: 'unknown' }

/** The beginning of what could not be read. */
export const MAX_QUARANTINED_BYTES = 4_096
/** Our own sentences, with what the venue said. */
const MAX_EXPLANATION = 1_000

/** The rows that follow from the entry at `position`; moves the state by it. The same entries give the same rows, whenever they are read. */
export function advance(state: AccountState, position: number, event: AccountEvent): AccountRows {
  const rows = noAccountRows()
  switch (event.kind) {
    case 'started':
      state.keyFingerprint = event.keyFingerprint
      return rows
    case 'stopped':
      return rows
    case 'quote_refused':
      rows.quote_failures.push(failureRow(state, position, event))
      return rows
    case 'quote_answered':
      try {
        rows.instant_quotes.push(quoteRow(state, position, event))
      } catch (error) {
        if (!(error instanceof VenueProtocolError)) throw error
        const reason = `${error.code}: ${error.message}`
        rows.quarantine.push(quarantineRow(position, event.at.wallNs, 'instant_quote', reason, event.body))
      }
      return rows
  }
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

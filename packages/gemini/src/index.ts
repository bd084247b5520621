export { readBaseUrl } from './base-url.ts'
export { Credentials, isMasterKey } from './credentials.ts'
export {
  type AccountMessage,
  type Balance,
  decodeAccountMessage,
  ORDER_STATUSES,
  type OrderStatus,
  type OrderUpdate,
} from './decode-account-streams.ts'
export { decodeInstantQuote, type InstantQuote } from './decode-instant-quote.ts'
export {
  decodeOrderEvents,
  MAX_CLIENT_ORDER_ID,
  ORDER_EVENTS,
  type OrderEvent,
  type OrderEventsMessage,
  type OrderEventType,
  type OrderFill,
} from './decode-order-events.ts'
export {
  decodePastFills,
  decodePastOrders,
  MAX_PAST_ROWS,
  type PastFill,
  type PastOrder,
} from './decode-past-orders.ts'
export {
  decodeRestBook,
  decodeRestError,
  decodeRestTrades,
  type RestBook,
  type RestError,
  type RestTrade,
} from './decode-rest.ts'
export { decodeSymbolDetails, decodeSymbols } from './decode-symbols.ts'
export { decodeV1, type V1Change, type V1Message, type V1Trade } from './decode-v1.ts'
export { decodeFrame, decodeWs, type WsMessage } from './decode-ws.ts'
export {
  REST_REASONS,
  type Remedy,
  type RestReason,
  restRemedy,
  WS_ERRORS,
  type WsErrorRule,
  wsRemedy,
} from './errors.ts'
export { MAX_DEPTH, MAX_TEXT_LENGTH, readJson } from './json.ts'
export { JsonNumber, type JsonObject, type JsonValue } from './json-value.ts'
export { MAX_LEVELS_PER_MESSAGE, type PriceQuantity } from './levels.ts'
export { MAX_TIME_LEAD_S, type NextNonce, NONCE_KINDS, type NonceKind, nextNonce } from './nonces.ts'
export {
  PRIVATE_REASONS,
  type PrivateReason,
  type PrivateRefusal,
  type PrivateRemedy,
  ROLES_OF,
  readPrivateRefusal,
} from './private-errors.ts'
export { redactFrame } from './redact-frame.ts'
export {
  ACCOUNT_STREAMS,
  bookTickerStream,
  conninfoRequest,
  depthRequest,
  depthStream,
  listSubscriptionsRequest,
  MAX_DEPTH_LIMIT,
  pingRequest,
  type RequestId,
  subscribeRequest,
  timeRequest,
  tradeStream,
  unsubscribeRequest,
} from './requests.ts'
export {
  type DepthResult,
  type RateLimit,
  readDepthResult,
  readRateLimits,
  readServerTime,
  readSubscriptions,
} from './results.ts'
export {
  EMPTY_POST_HEADERS,
  type PrivateParameters,
  type SignedHeaders,
  signRequest,
  signStream,
} from './signing.ts'
export { canonicalSymbol } from './symbols.ts'
export {
  type Bases,
  bookUrl,
  MAX_TRADES_LIMIT,
  ORDER_EVENTS_PATH,
  orderEventsUrl,
  PRODUCTION,
  privateWsUrl,
  REST_AUDIT_LEVELS,
  SANDBOX,
  symbolDetailsUrl,
  symbolsUrl,
  type TradesQuery,
  tradesUrl,
  type V1Options,
  v1Url,
  wsUrl,
} from './urls.ts'
export { readRestSettings, readVenueSettings, type VenueSettings } from './venue-settings.ts'

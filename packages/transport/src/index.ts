export { isAddressAllowed, isLoopbackHost, urlProblem } from './address.ts'
export type { TransportClock } from './clock.ts'
export {
  Budget,
  createPrivateBudget,
  createVenueBudgets,
  DIAL_BURST,
  MAX_DIALS_PER_MINUTE,
  MAX_WAITING,
  PRIVATE_BURST,
  PRIVATE_PER_MINUTE,
  REST_BURST,
  REST_PER_MINUTE,
  SHARED_PER_MINUTE,
  TokenBucket,
} from './dial-budget.ts'
export { createLookup, LOOKUP_DEADLINE_MS } from './lookup.ts'
export type { Refusal } from './refusal.ts'
export {
  createRestClient,
  REST_ATTEMPTS,
  type RestClient,
  type RestPoster,
  type RestReply,
  retryDelayMs,
} from './rest-client.ts'
export { MAX_REST_BODY_BYTES, REST_DEADLINE_MS } from './rest-exchange.ts'
export { MAX_RETRY_AFTER_MS, readRetryAfterMs } from './retry-after.ts'
export { openSocket, type Socket, type SocketEvents, type SocketOptions } from './socket.ts'
export {
  CLOSE_DEADLINE_MS,
  DIAL_DEADLINE_MS,
  MAX_FRAGMENTS,
  MAX_MESSAGE_BYTES,
  MAX_REFUSAL_BODY_BYTES,
  MAX_SEND_BUFFER,
  type SocketLimits,
} from './socket-limits.ts'

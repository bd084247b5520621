// The largest message seen is a v1 snapshot of about 0.5 MB; thirty times that is room enough, and no bomb.
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

// Gemini sends whole messages. A peer that cuts one into thousands of parts is after our memory.
export const MAX_FRAGMENTS = 1024

// From the order to dial until the upgrade's answer: name lookup, TCP, TLS and HTTP together.
export const DIAL_DEADLINE_MS = 10_000

// A venue that means to answer our close does so in one round trip; until it does, the next dial waits.
export const CLOSE_DEADLINE_MS = 2_000

// Our sends are subscriptions of a few KiB. More than this unsent means that the peer does not read.
export const MAX_SEND_BUFFER = 1024 * 1024

// The venue's refusals are a JSON object of three fields; a proxy's page is cut.
export const MAX_REFUSAL_BODY_BYTES = 4096

export type SocketLimits = Readonly<{
  maxMessageBytes: number
  maxFragments: number
  dialDeadlineMs: number
  closeDeadlineMs: number
  maxSendBuffer: number
}>

export const SOCKET_LIMITS: SocketLimits = Object.freeze({
  maxMessageBytes: MAX_MESSAGE_BYTES,
  maxFragments: MAX_FRAGMENTS,
  dialDeadlineMs: DIAL_DEADLINE_MS,
  closeDeadlineMs: CLOSE_DEADLINE_MS,
  maxSendBuffer: MAX_SEND_BUFFER,
})

/** What a venue message did wrong. One table (packages/session, remedy.ts) names the remedy of each. */
export const PROTOCOL_VIOLATIONS = [
  'MALFORMED_JSON',
  'TOO_DEEP',
  'TOO_LARGE',
  'DUPLICATE_KEY',
  'MISSING_FIELD',
  'WRONG_TYPE',
  'UNREADABLE_NUMBER',
  'BACKWARD_RANGE',
  'BINARY_FRAME',
] as const
export type ProtocolViolation = (typeof PROTOCOL_VIOLATIONS)[number]

/** The venue broke its own protocol in one message. */
export class VenueProtocolError extends Error {
  readonly code: ProtocolViolation

  constructor(code: ProtocolViolation, message: string) {
    super(message)
    this.name = 'VenueProtocolError'
    this.code = code
  }
}

/** A belief of ours proved wrong. The process must not go on. */
export class InvariantError extends Error {
  override name = 'InvariantError'
}

export function invariant(holds: boolean, belief: string): asserts holds {
  if (!holds) throw new InvariantError(`broken belief: ${belief}`)
}

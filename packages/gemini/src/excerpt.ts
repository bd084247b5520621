/** The beginning of a text of the venue, safe to show in a message of ours. */
export function excerpt(text: string): string {
  return JSON.stringify(text.length > EXCERPT_LENGTH ? `${text.slice(0, EXCERPT_LENGTH)}…` : text)
}

/** Enough to recognise a value by; logs must not carry whole frames. */
const EXCERPT_LENGTH = 48

/** The beginning of a text of the venue, safe to show in a message of ours. */
export function excerpt(text: string, length = EXCERPT_LENGTH): string {
  return JSON.stringify(text.length > length ? `${text.slice(0, length)}…` : text)
}

/** Enough to recognise a value by; logs must not carry whole frames. */
const EXCERPT_LENGTH = 48

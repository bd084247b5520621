export const REDACTED = '[redacted]'

/**
 * Takes the password out of every `scheme://user:password@host` in a text. Works on plain text and inside JSON:
 * it never crosses a quote. Lengths are bounded so that hostile text costs linear time.
 */
export function redactUrl(text: string): string {
  return text.replace(/:\/\/([^\s"':/@]{0,128}):[^\s"/]{1,512}@/g, `://$1:${REDACTED}@`)
}

/**
 * A Postgres array in its text form, `{a,b,NULL}`, from elements that are already spelled as array elements:
 * plain digits, uuids and times as they stand, anything else by `quoted`.
 */
export function arrayText(elements: readonly string[]): string {
  return `{${elements.join(',')}}`
}

/** The elements of such a text, spelled as they stand; of plain digits and `NULL` only, not of quoted ones. */
export function elementsOf(text: string): string[] {
  return text.length === 2 ? [] : text.slice(1, -1).split(',')
}

/** Any text as an array element. The word NULL in quotes is a text; `NULL` alone is no value. */
export function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : `"${text.replace(/["\\]/g, '\\$&')}"`
}

const PLAIN = /^[^"\\]*$/

export const NULL_ELEMENT = 'NULL'

/** The text that an element spells; null for `NULL`. */
export function elementText(element: string): string | null {
  if (element === NULL_ELEMENT) return null
  return element.startsWith('"') ? element.slice(1, -1).replace(/\\([\s\S])/g, '$1') : element
}

/** Free text from the venue or a socket: a NUL would fail the whole batch (22021), a lone surrogate would be changed in silence. */
export function cleanText(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replaceAll('\0', '\uFFFD').toWellFormed()
}

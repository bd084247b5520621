import { createHash } from 'node:crypto'

/**
 * A UUID (version 8, RFC 9562) made from its parts, so that the same journal gives the same ids on every replay.
 */
export function deriveId(...parts: readonly (string | number | bigint)[]): string {
  const hex = createHash('sha256').update(parts.join('\n')).digest('hex')
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

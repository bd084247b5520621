import type { Credentials } from './credentials.ts'

/**
 * A frame of a private feed without any API key. Order events name the key that placed each order, ours or another of the account, and
 * the acknowledgement echoes those it was filtered by (docs/gemini.md, claim 37). The text may be anything, also a part of a frame.
 */
export function redactFrame(text: string, credentials: Credentials): string {
  const withoutSessions = text
    .replace(/("api_session"\s*:\s*)"(?:[^"\\]|\\.)*"?/g, '$1"[redacted]"')
    .replace(/("apiSessionFilter"\s*:\s*)\[[^\]]*\]?/g, '$1[]')
  return credentials.redact(withoutSessions)
}

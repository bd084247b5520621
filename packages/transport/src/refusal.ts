/** Why a dial did not become a connection. */
export type Refusal =
  | Readonly<{ kind: 'http'; status: number; retryAfterMs: number | null; body: string }> // the body's first 4 KiB
  | Readonly<{ kind: 'network'; code: string; message: string }>
  | Readonly<{ kind: 'tls'; code: string; message: string }>
  | Readonly<{ kind: 'timeout' }>

/**
 * What an error before the upgrade's answer means. Codes are Node's (`ECONNREFUSED`, `HPE_HEADER_OVERFLOW`, OpenSSL's
 * names), those of `createLookup`, and `BAD_HANDSHAKE` for an upgrade answered against RFC 6455.
 */
export function refusalOf(error: Error): Refusal {
  const code = codeOf(error) ?? 'BAD_HANDSHAKE'
  return { kind: isTlsCode(code) ? 'tls' : 'network', code, message: messageOf(error) }
}

export function codeOf(error: Error): string | null {
  return 'code' in error && typeof error.code === 'string' ? error.code : null
}

/** True for what certificate checks and the TLS handshake report: waiting does not cure it, an operator does. */
export function isTlsCode(code: string): boolean {
  return (
    code === 'EPROTO' ||
    /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERROR_IN_|INVALID_|HOSTNAME_|PATH_LENGTH_)/.test(
      code,
    )
  )
}

/** Node gives one error for several addresses an empty message; the attempts' own messages say more. */
export function messageOf(error: Error): string {
  if (!(error instanceof AggregateError)) return error.message.trimEnd() // OpenSSL's end in a line break
  return error.errors.map((each: unknown) => (each instanceof Error ? each.message : String(each))).join('; ')
}

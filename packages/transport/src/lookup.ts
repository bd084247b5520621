import { promises as dns, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { invariant } from '@booktape/market'
import { isAddressAllowed } from './address.ts'

// A resolver that hangs must not eat the whole dial deadline, so that the refusal can say what hung.
export const LOOKUP_DEADLINE_MS = 5_000

/**
 * A name lookup for `net.connect`, `tls.connect` and everything built on them. One lookup per host at a time: the
 * system runs only a few at once, so a dead resolver with hundreds of dials would hold up every other one for minutes.
 * Who asks while a lookup is under way gets its answer; a finished answer is not kept, so every dial resolves again.
 *
 * Fails with the codes of `dns.lookup` (`ENOTFOUND`, `EAI_AGAIN`), with `LOOKUP_TIMEOUT`, or with `PRIVATE_ADDRESS`
 * when any of the addresses is one that `isAddressAllowed` refuses.
 */
export function createLookup(
  options: Readonly<{ resolve?: (host: string) => Promise<LookupAddress[]>; deadlineMs?: number }> = {},
): LookupFunction {
  const { resolve = resolveBySystem, deadlineMs = LOOKUP_DEADLINE_MS } = options
  const underWay = new Map<string, Promise<LookupAddress[]>>()

  const resolveOnce = (host: string): Promise<LookupAddress[]> => {
    const joined = underWay.get(host)
    if (joined !== undefined) return joined
    // It stays here until the system answers, not until our deadline: it cannot be called off.
    const started = resolve(host).finally(() => underWay.delete(host))
    underWay.set(host, started)
    return started
  }

  return (host, { all, family }, callback) => {
    const answer = once((error: LookupError | null, addresses: LookupAddress[]): void => {
      clearTimeout(deadline)
      const first = addresses[0]
      if (error !== null) callback(error, [])
      else if (all === true) callback(null, addresses)
      else {
        invariant(first !== undefined, 'a lookup that did not fail has an address')
        callback(null, first.address, first.family)
      }
    })
    const deadline = setTimeout(() => {
      answer(new LookupError('LOOKUP_TIMEOUT', `no answer for ${host} from the resolver in ${deadlineMs} ms`), [])
    }, deadlineMs)
    resolveOnce(host).then(
      (found) => {
        const wanted = found.filter((each) => wantsFamily(family, each.family))
        const refused = found.find(({ address }) => !isAddressAllowed(host, address))
        if (refused !== undefined) {
          answer(new LookupError('PRIVATE_ADDRESS', `${host} resolves to ${refused.address}, which is not public`), [])
        } else if (wanted.length === 0) {
          answer(new LookupError('ENOTFOUND', `${host} has no address of the wanted family`), [])
        } else answer(null, wanted)
      },
      (cause: unknown) => answer(lookupErrorOf(host, cause), []),
    )
  }
}

/** The lookup every socket and REST client of this process shares, unless handed another. */
export const sharedLookup: LookupFunction = createLookup()

class LookupError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'LookupError'
    this.code = code
  }
}

function resolveBySystem(host: string): Promise<LookupAddress[]> {
  return dns.lookup(host, { all: true })
}

function wantsFamily(wanted: number | string | undefined, family: number): boolean {
  return wanted === undefined || wanted === 0 || wanted === family || wanted === `IPv${family}`
}

function lookupErrorOf(host: string, cause: unknown): LookupError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'LOOKUP_FAILED'
  return new LookupError(code, `the resolver has no answer for ${host}: ${code}`)
}

function once(answer: (error: LookupError | null, addresses: LookupAddress[]) => void): typeof answer {
  let answered = false
  return (error, addresses) => {
    if (answered) return
    answered = true
    answer(error, addresses)
  }
}

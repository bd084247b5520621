import type { Clock } from '@booktape/runtime'
import type { QuoteAsk } from './config.ts'
import type { AccountEvent } from './event.ts'
import type { PrivateClient, PrivateReply } from './private-client.ts'

/** After a refusal that only an operator can mend: often enough to notice that it is mended, too seldom to be a nuisance. */
export const OPERATOR_PAUSE_MS = 60_000
/** A quote that will never work as it is asked for, such as one of a symbol that is gone, is tried this often. */
export const REFUSED_PAUSE_MS = 600_000

const NS_PER_MS = 1_000_000n

export type QuoterParts = Readonly<{
  asks: readonly QuoteAsk[]
  intervalMs: number // in which each is asked for once
  client: Pick<PrivateClient, 'post'>
  clock: Pick<Clock, 'wallNs' | 'monoNs' | 'sleep'>
  note: (event: AccountEvent) => void
  onReply: (ask: QuoteAsk, reply: PrivateReply) => void
  isHeld: () => boolean // nothing can be written down now, so nothing is asked
  givingUp: AbortSignal // ends a request that is under way; a little after the signal that ends the asking
}>

/**
 * Asks for the quotes in turn until the signal, evenly over the interval. A turn that could not be kept is left out, never made up for:
 * what a quote was a minute ago, nobody can ask any more.
 */
export async function keepQuoting(parts: QuoterParts, signal: AbortSignal): Promise<void> {
  const { asks, clock } = parts
  if (asks.length === 0) return
  const startNs = clock.monoNs()
  const stepNs = (BigInt(parts.intervalMs) * NS_PER_MS) / BigInt(asks.length)
  const pausedUntilNs = new Map<QuoteAsk, bigint>()
  let turn = 0n
  for (let next = 0; !signal.aborted; next = (next + 1) % asks.length) {
    const ask = asks[next]
    const isPaused = ask === undefined || (pausedUntilNs.get(ask) ?? 0n) > clock.monoNs()
    if (ask !== undefined && !isPaused && !parts.isHeld()) {
      const pause = await askOnce(parts, ask)
      const untilNs = clock.monoNs() + BigInt(pause.ms) * NS_PER_MS
      for (const paused of pause.ofAll ? asks : [ask]) pausedUntilNs.set(paused, untilNs)
    }
    const passed = (clock.monoNs() - startNs) / stepNs
    turn = (passed > turn ? passed : turn) + 1n
    const waitNs = startNs + turn * stepNs - clock.monoNs()
    // Rounded up: a turn never comes early.
    await clock.sleep(Number((waitNs + NS_PER_MS - 1n) / NS_PER_MS), signal).catch(() => undefined)
  }
}

/** For how long this quote, or every one, is not asked for. */
type Pause = Readonly<{ ms: number; ofAll: boolean }>

/** Asks for one quote and writes down what came of it. */
async function askOnce({ client, clock, note, onReply, givingUp }: QuoterParts, ask: QuoteAsk): Promise<Pause> {
  const parameters = { symbol: ask.symbol, side: ask.side, totalSpend: ask.totalSpend }
  const reply = await client.post('/v1/instant/quote', parameters, givingUp)
  if (givingUp.aborted && reply.kind === 'failed') return { ms: 0, ofAll: false } // given up by us: nothing happened
  onReply(ask, reply)
  const at = { wallNs: reply.receivedNs, monoNs: clock.monoNs() }
  const sentNs = String(reply.sentNs)
  switch (reply.kind) {
    case 'answered':
      note({ kind: 'quote_answered', at, ask, sentNs, body: reply.body })
      return { ms: 0, ofAll: false }
    case 'refused': {
      const { status, reason, sentence, remedy } = reply.refusal
      note({ kind: 'quote_refused', at, ask, sentNs, status, reason, explanation: sentence })
      if (remedy === 'operator') return { ms: OPERATOR_PAUSE_MS, ofAll: true }
      return { ms: remedy === 'refused' ? REFUSED_PAUSE_MS : 0, ofAll: false }
    }
    case 'failed':
      note({ kind: 'quote_refused', at, ask, sentNs, status: null, reason: null, explanation: reply.reason })
      return { ms: 0, ofAll: false }
  }
}

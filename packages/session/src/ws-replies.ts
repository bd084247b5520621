import {
  depthStream,
  readDepthResult,
  readRateLimits,
  readSubscriptions,
  tradeStream,
  type WsMessage,
  wsRemedy,
} from '@booktape/gemini'
import { takeAnswer } from './audit.ts'
import type { Instant, RunSettings } from './event.ts'
import type { Step } from './step.ts'
import * as subscriptions from './subscription.ts'
import type { WsSession } from './ws-session.ts'

/**
 * An answer to one of our requests, known by the id we gave it: `purpose:symbol:number`. Throws VenueProtocolError for an
 * answer of another shape than agreed.
 */
export function onReply(
  session: Pick<WsSession, 'subscriptions' | 'staged'>,
  message: Extract<WsMessage, { kind: 'response' }>,
  at: Instant,
  run: RunSettings,
  ask: subscriptions.Ask,
  step: Step,
): void {
  const tracked = session.subscriptions
  const [purpose = '', ...rest] = String(message.id).split(':')
  switch (purpose) {
    case 'ping':
      return
    case 'conninfo': {
      const limits = message.rateLimits === null ? [] : readRateLimits(message.rateLimits)
      const text = limits
        .map((limit) => `${limit.type} ${limit.count}/${limit.limit} per ${limit.intervalCount} ${limit.interval}`)
        .join(', ')
      step.observations.push({ kind: 'rate_limits', text })
      return
    }
    case 'list':
      if (message.error === null && message.result !== null)
        compareList(tracked, readSubscriptions(message.result), at, run, ask, step)
      return
    case 'depth': {
      const subscription = tracked.get(rest[0] ?? '')
      if (subscription === undefined) break
      if (message.error !== null || message.result === null) return // asked again in its time
      if (takeAnswer(subscription.track, readDepthResult(message.result), at, step) === 'different') {
        subscriptions.resync(subscription, 'divergence', at.wallNs, at, run, ask, step)
      }
      return
    }
    case 'stage': {
      const symbol = rest[0] ?? ''
      const staged = session.staged.get(symbol)
      if (message.error !== null) session.staged.delete(symbol)
      else if (staged !== undefined) staged.tradesListed = true
      return
    }
    case 'unstage':
      return
    case 'sub':
    case 'unsub': {
      const subscription = tracked.get(rest[0] ?? '')
      if (subscription === undefined) break
      const refusal =
        message.error === null
          ? null
          : { message: message.error.message, remedy: wsRemedy(message.error.code, message.status) }
      subscriptions.onReply(subscription, String(message.id), refusal, at, run, ask, step)
      return
    }
  }
  step.observations.push({ kind: 'anomaly', feed: 'ws', symbol: null, anomaly: 'unmatched_reply', count: 1 })
}

/** What the venue says it sends us, against what we believe to be subscribed to. */
function compareList(
  tracked: ReadonlyMap<string, subscriptions.Subscription>,
  listed: readonly string[],
  at: Instant,
  run: RunSettings,
  ask: subscriptions.Ask,
  step: Step,
): void {
  const streams = new Set(listed.map((stream) => stream.toLowerCase()))
  for (const subscription of tracked.values()) {
    const { symbol } = subscription.track
    const hasTrades = streams.has(tradeStream(symbol))
    subscriptions.onListed(subscription, streams.has(depthStream(symbol)), hasTrades, at, run, ask, step)
  }
}

import type { Delivery, Frame, OutgoingFrame } from '@booktape/venue'
import type { FaultRequest } from './faults.ts'

/** What becomes of a frame; null when the fault does not fit it, and waits for one it fits. */
type Effect = (frame: OutgoingFrame, request: FaultRequest) => readonly Delivery[] | null

const NS_PER_MS = 1_000_000n
const USUAL_DELAY_MS = 3_000

/** The faults that act on one frame, each alone. `swap` is not here: it needs the next frame too. */
export const FRAME_EFFECTS = {
  drop: () => [],
  duplicate: ({ text }) => [now(text), now(text)],
  delay: ({ text }, request) => [later(text, request)],
  corrupt: ({ text }) => {
    const wrong = withWrongQuantity(text)
    return wrong === null ? null : [now(wrong)]
  },
  malformed: ({ text }) => [now(text.slice(0, Math.floor(text.length / 2)))],
  binary: ({ text }) => [now(new TextEncoder().encode(text))],
  unknown_type: ({ feed, symbol, text }) => {
    if (feed === 'ws') return [now(`{"e":"somethingNew","E":1,"s":"${symbol ?? 'btcusd'}","x":[]}`), now(text)]
    const events = '"events":['
    if (!text.includes(events)) return null
    const rest = text.slice(text.indexOf(events) + events.length)
    const separator = rest.startsWith(']') ? '' : ','
    return [now(text.replace(events, `${events}{"note":"nobody knows this","type":"something_new"}${separator}`))]
  },
  unknown_symbol: ({ feed, text }) => {
    const symbol = /"s":"[^"]*"/
    return feed === 'ws' && symbol.test(text) ? [now(text.replace(symbol, '"s":"nosuchusd"')), now(text)] : null
  },
  omit_snapshot: ({ kind }) => (kind === 'snapshot' ? [] : null),
  late_snapshot: ({ kind, text }, request) => (kind === 'snapshot' ? [later(text, request)] : null),
  duplicate_snapshot: ({ kind, text }) => (kind === 'snapshot' ? [now(text), now(text)] : null),
} as const satisfies Record<string, Effect>

export type FrameFault = keyof typeof FRAME_EFFECTS

export function isFrameFault(name: string): name is FrameFault {
  return Object.hasOwn(FRAME_EFFECTS, name)
}

export function now(frame: Frame): Delivery {
  return { frame, delayNs: 0n }
}

function later(text: string, request: FaultRequest): Delivery {
  return { frame: text, delayNs: BigInt(request.delayMs ?? USUAL_DELAY_MS) * NS_PER_MS }
}

/** The first level's quantity with its first digit changed: well-formed and wrong. Null where there is no level. */
function withWrongQuantity(text: string): string | null {
  const level = /("remaining":"|\["[0-9.]+",")([0-9])/
  if (!level.test(text)) return null
  return text.replace(level, (_match, before: string, digit: string) => `${before}${digit === '7' ? '8' : '7'}`)
}

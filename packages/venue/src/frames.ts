import type { Feed } from '@booktape/market'

/** A WebSocket message: text, or bytes where a fault sends a binary one. */
export type Frame = string | Uint8Array

/** What a frame says. `update` and `heartbeat` are v1's; a snapshot exists on both feeds. `order` and `balance` are an account's. */
export const FRAME_KINDS = [
  'snapshot',
  'depth',
  'partial_depth',
  'ticker',
  'trade',
  'response',
  'update',
  'heartbeat',
  'order',
  'balance',
] as const
export type FrameKind = (typeof FRAME_KINDS)[number]

/** A frame on its way out, before any fault. */
export type OutgoingFrame = Readonly<{
  connectionId: number
  feed: Feed
  symbol: string | null // null: it speaks of no symbol, as a response
  kind: FrameKind
  text: string
}>

/** What leaves in place of a frame, and how much later. */
export type Delivery = Readonly<{ frame: Frame; delayNs: bigint }>

/** Whether the text of a frame leaves as it stands, and what does in its place where not. */
export type FrameFilter = Readonly<{ isArmed: boolean; pass(frame: OutgoingFrame): readonly Delivery[] }>

/** An upgrade or request that is answered with an HTTP error instead. */
export type Refusal = Readonly<{ status: number; headers: Readonly<Record<string, string>>; body: string }>

export type Closing = Readonly<{ code: number; reason: string }>

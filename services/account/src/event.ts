import type { Entry, NewEntry } from '@booktape/journal'
import { invariant } from '@booktape/market'
import type { Instant, Refusal } from '@booktape/session'
import type { QuoteAsk } from './config.ts'

/** `v1`: /v1/order/events. `ws`: orders@account and balances@account of the new API. */
export const ACCOUNT_FEEDS = ['v1', 'ws'] as const
export type AccountFeed = (typeof ACCOUNT_FEEDS)[number]

/** Everything that happens to the account's service, each an entry of its journal. None holds a key, a payload or a signature. */
export type AccountEvent = ProcessEvent | QuoteEvent | HistoryEvent | StreamEvent

export type ProcessEvent = Readonly<{ at: Instant }> &
  (
    | Readonly<{ kind: 'started'; keyFingerprint: string; urls: Readonly<Partial<Record<AccountFeed, string>>> }>
    | Readonly<{ kind: 'stopped' }>
    | Readonly<{ kind: 'suspended' }> // the journal is full: every connection is given up until `resumed`
    | Readonly<{ kind: 'resumed' }>
  )

/** Never written: stands for entries that cannot be read any more. */
export type Damaged = Readonly<{ kind: 'damaged'; at: Instant }>

export type QuoteEvent = Readonly<{ at: Instant }> &
  (
    | Readonly<{ kind: 'quote_answered'; ask: QuoteAsk; sentNs: string; body: string }>
    | Readonly<{
        kind: 'quote_refused'
        ask: QuoteAsk
        sentNs: string
        status: number | null // null: no answer came
        reason: string | null
        explanation: string
      }>
  )

/** What the venue said of the past, after a gap: pages of lists, and that they were read to their end. */
export type HistoryEvent = Readonly<{ at: Instant }> &
  (
    | Readonly<{ kind: 'history_page'; list: HistoryList; body: string }>
    | Readonly<{ kind: 'history_read'; gaps: readonly GapName[] }>
  )

export const HISTORY_LISTS = ['orders', 'fills'] as const
export type HistoryList = (typeof HISTORY_LISTS)[number]

/** Which gap of schema account; it may be of an earlier journal. */
export type GapName = Readonly<{ journalId: string; position: string; feed: AccountFeed }>

/** What moves the private feeds: time, for all of them, and what happens on a connection. */
export type StreamEvent = Readonly<{ at: Instant }> &
  (
    | Readonly<{ kind: 'tick' }>
    | Readonly<{ kind: 'dialing'; connection: number; feed: AccountFeed; url: string }>
    | Readonly<{ kind: 'opened'; connection: number }>
    | Readonly<{ kind: 'refused'; connection: number; refusal: Refusal }>
    | Readonly<{ kind: 'closed'; connection: number; code: number; reason: string }>
    | Readonly<{ kind: 'frame'; connection: number; text: string }> // without any key
  )

/** Numbers are on disk: never reused, never changed. */
const ENTRY_KINDS = {
  started: 1,
  stopped: 2,
  quote_answered: 3,
  quote_refused: 4,
  tick: 5,
  dialing: 6,
  opened: 7,
  refused: 8,
  closed: 9,
  frame: 10,
  suspended: 11,
  resumed: 12,
  history_page: 13,
  history_read: 14,
} as const satisfies Record<AccountEvent['kind'], number>

const KIND_NAMES = new Map(Object.entries(ENTRY_KINDS).map(([name, number]) => [number as number, name]))

export function writeEntry(event: AccountEvent): NewEntry {
  const { at, kind, ...content } = event
  const text = event.kind === 'frame' ? event.text : JSON.stringify(content)
  const connection = 'connection' in event ? event.connection : 0
  const payload = new TextEncoder().encode(text)
  return { kind: ENTRY_KINDS[kind], wallNs: at.wallNs, monoNs: at.monoNs, connection, messageSeq: 0, payload }
}

/** Null for a kind of a later version, which this one cannot act on. */
export function readEntry(entry: Entry): AccountEvent | null {
  const kind = KIND_NAMES.get(entry.kind)
  if (kind === undefined) return null
  const at = { wallNs: entry.wallNs, monoNs: entry.monoNs }
  const text = new TextDecoder().decode(entry.payload)
  if (kind === 'frame') return { kind, at, connection: entry.connection, text }
  const content: unknown = JSON.parse(text)
  invariant(typeof content === 'object' && content !== null, 'the content of a journal entry is an object')
  return { ...content, kind, at } as AccountEvent // our own writing, checksummed by the journal
}

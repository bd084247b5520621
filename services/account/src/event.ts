import type { Entry, NewEntry } from '@booktape/journal'
import { invariant } from '@booktape/market'
import type { QuoteAsk } from './config.ts'

/** When something happened, by both clocks. */
export type Instant = Readonly<{ wallNs: bigint; monoNs: bigint }>

/** What happens to the account's service, each an entry of its journal. None holds a key, a payload or a signature. */
export type AccountEvent = Readonly<{ at: Instant }> &
  (
    | Readonly<{ kind: 'started'; keyFingerprint: string }>
    | Readonly<{ kind: 'stopped' }>
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

/** Numbers are on disk: never reused, never changed. */
const ENTRY_KINDS = { started: 1, stopped: 2, quote_answered: 3, quote_refused: 4 } as const

const KIND_NAMES = new Map(Object.entries(ENTRY_KINDS).map(([name, number]) => [number as number, name]))

export function writeEntry(event: AccountEvent): NewEntry {
  const { at, kind, ...content } = event
  const payload = new TextEncoder().encode(JSON.stringify(content))
  return { kind: ENTRY_KINDS[kind], wallNs: at.wallNs, monoNs: at.monoNs, connection: 0, messageSeq: 0, payload }
}

/** Null for a kind of a later version, which this one cannot act on. */
export function readEntry(entry: Entry): AccountEvent | null {
  const kind = KIND_NAMES.get(entry.kind)
  if (kind === undefined) return null
  const content: unknown = JSON.parse(new TextDecoder().decode(entry.payload))
  invariant(typeof content === 'object' && content !== null, 'the content of a journal entry is an object')
  // Our own writing, checksummed by the journal.
  return { ...content, kind, at: { wallNs: entry.wallNs, monoNs: entry.monoNs } } as AccountEvent
}

import type { Entry, NewEntry } from '@booktape/journal'
import { invariant } from '@booktape/market'
import type { CorridorEvent } from '@booktape/session'

/**
 * What the kinds of journal entries mean. Numbers are on disk: never reused, never changed.
 * Frames carry the message as it came; the others carry their fields as JSON, times and numbers being in the entry's own head.
 */
export const ENTRY_KINDS = {
  started: 1,
  stopped: 2,
  tick: 3,
  dialing: 4,
  opened: 5,
  refused: 6,
  closed: 7,
  textFrame: 8,
  binaryFrame: 9,
  symbolDetails: 10,
  tradesPage: 11,
  suspended: 12,
  resumed: 13,
  bookPage: 14,
} as const

/** What happens is written down; that something cannot be read is found out only by reading. */
export type WrittenEvent = Exclude<CorridorEvent, { kind: 'damaged' }>

const NOTHING = new Uint8Array(0)

export function writeEntry(event: WrittenEvent): NewEntry {
  switch (event.kind) {
    case 'started':
      return compose(event, ENTRY_KINDS.started, { run: event.run })
    case 'stopped':
      return compose(event, ENTRY_KINDS.stopped, null)
    case 'suspended':
      return compose(event, ENTRY_KINDS.suspended, null)
    case 'resumed':
      return compose(event, ENTRY_KINDS.resumed, null)
    case 'tick':
      return compose(event, ENTRY_KINDS.tick, null)
    case 'dialing': {
      const { session, sessionId, url } = event
      return compose(event, ENTRY_KINDS.dialing, { session, sessionId, url }, event.connection)
    }
    case 'opened':
      return compose(event, ENTRY_KINDS.opened, null, event.connection)
    case 'refused':
      return compose(event, ENTRY_KINDS.refused, { refusal: event.refusal }, event.connection)
    case 'closed':
      return compose(event, ENTRY_KINDS.closed, { code: event.code, reason: event.reason }, event.connection)
    case 'frame': {
      const { at, connection, messageSeq, payload } = event
      const kind = event.isBinary ? ENTRY_KINDS.binaryFrame : ENTRY_KINDS.textFrame
      return { kind, wallNs: at.wallNs, monoNs: at.monoNs, connection, messageSeq, payload }
    }
    case 'symbol_details':
      return { ...compose(event, ENTRY_KINDS.symbolDetails, null), payload: new TextEncoder().encode(event.body) }
    case 'trades_page':
    case 'book_page': {
      const { symbol, status, body } = event
      const kind = event.kind === 'book_page' ? ENTRY_KINDS.bookPage : ENTRY_KINDS.tradesPage
      return compose(event, kind, { symbol, status, body })
    }
  }
}

/** The event an entry holds; `null` for a kind of a later version, which this one cannot act on. */
export function readEntry(entry: Entry): CorridorEvent | null {
  const { connection, messageSeq, payload } = entry
  const at = { wallNs: entry.wallNs, monoNs: entry.monoNs }
  switch (entry.kind) {
    case ENTRY_KINDS.started:
      return { kind: 'started', at, ...(fields(payload) as Fields<'started', 'run'>) }
    case ENTRY_KINDS.stopped:
      return { kind: 'stopped', at }
    case ENTRY_KINDS.suspended:
      return { kind: 'suspended', at }
    case ENTRY_KINDS.resumed:
      return { kind: 'resumed', at }
    case ENTRY_KINDS.tick:
      return { kind: 'tick', at }
    case ENTRY_KINDS.dialing:
      return {
        kind: 'dialing',
        at,
        connection,
        ...(fields(payload) as Fields<'dialing', 'session' | 'sessionId' | 'url'>),
      }
    case ENTRY_KINDS.opened:
      return { kind: 'opened', at, connection }
    case ENTRY_KINDS.refused:
      return { kind: 'refused', at, connection, ...(fields(payload) as Fields<'refused', 'refusal'>) }
    case ENTRY_KINDS.closed:
      return { kind: 'closed', at, connection, ...(fields(payload) as Fields<'closed', 'code' | 'reason'>) }
    case ENTRY_KINDS.textFrame:
    case ENTRY_KINDS.binaryFrame: {
      const isBinary = entry.kind === ENTRY_KINDS.binaryFrame
      return { kind: 'frame', at, connection, messageSeq, isBinary, payload }
    }
    case ENTRY_KINDS.symbolDetails:
      return { kind: 'symbol_details', at, body: new TextDecoder().decode(payload) }
    case ENTRY_KINDS.tradesPage:
      return { kind: 'trades_page', at, ...(fields(payload) as Fields<'trades_page', 'symbol' | 'status' | 'body'>) }
    case ENTRY_KINDS.bookPage:
      return { kind: 'book_page', at, ...(fields(payload) as Fields<'book_page', 'symbol' | 'status' | 'body'>) }
    default:
      return null
  }
}

function compose(event: WrittenEvent, kind: number, content: object | null, connection = 0): NewEntry {
  const { wallNs, monoNs } = event.at
  const payload = content === null ? NOTHING : new TextEncoder().encode(JSON.stringify(content))
  return { kind, wallNs, monoNs, connection, messageSeq: 0, payload }
}

type Fields<Kind extends CorridorEvent['kind'], Field extends string> = Pick<
  Extract<CorridorEvent, { kind: Kind }>,
  Field & keyof Extract<CorridorEvent, { kind: Kind }>
>

/** Our own writing, checksummed by the journal: only its being an object is checked. */
function fields(payload: Uint8Array): object {
  const value: unknown = JSON.parse(new TextDecoder().decode(payload))
  invariant(typeof value === 'object' && value !== null, 'the content of a journal entry is an object')
  return value
}

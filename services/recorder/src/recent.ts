import type { AuditRecord, GapOpened, GapSettled, TradeRecord } from '@booktape/market'
import type { CorridorEvent, RunSettings, Step } from '@booktape/session'

/** A screen of each; who wants more asks the database. */
export const RECENT_TRADES = 50 // of each symbol
export const RECENT_GAPS = 40
export const RECENT_AUDITS = 12
export const RECENT_DIFFERENT_AUDITS = 4
export const RECENT_AUDITS_OF_SYMBOL = 6

export type RecentGap = Omit<GapOpened, 'kind' | 'receivedTimeNs' | 'fromId'> &
  Readonly<{ fromNs: bigint; toNs: bigint | null; state: 'open' | 'closed' | GapSettled['state'] }>

/** What happened lately at the live edge, for people to look at: bounded, in memory, gone with the process. Lists are newest first. */
export class Recent {
  readonly #trades = new Map<string, TradeRecord[]>() // by symbol
  readonly #audits = new Map<string, AuditRecord[]>() // by symbol
  readonly #latestAudits: AuditRecord[] = []
  readonly #differentAudits: AuditRecord[] = []
  readonly #gaps: RecentGap[] = []
  readonly #auditCounts = { equal: 0, different: 0 }
  #gapsMovedNs: bigint | null = null
  #run: RunSettings | null = null

  observe(event: CorridorEvent, step: Pick<Step, 'records'>): void {
    if (event.kind === 'started') this.#run = event.run
    for (const record of step.records) {
      switch (record.kind) {
        case 'trade':
          addTrade(listOf(this.#trades, record.symbol), record)
          break
        case 'audit':
          this.#auditCounts[record.result]++
          putFirst(this.#latestAudits, record, RECENT_AUDITS)
          putFirst(listOf(this.#audits, record.symbol), record, RECENT_AUDITS_OF_SYMBOL)
          if (record.result === 'different') putFirst(this.#differentAudits, record, RECENT_DIFFERENT_AUDITS)
          break
        case 'gap_opened': {
          const { gapId, symbol, feed, stream, cause, receivedTimeNs } = record
          const fromNs = receivedTimeNs
          putFirst(this.#gaps, { gapId, symbol, feed, stream, cause, fromNs, toNs: null, state: 'open' }, RECENT_GAPS)
          this.#gapsMovedNs = event.at.wallNs
          break
        }
        case 'gap_closed':
          this.#changeGap(record.gapId, { toNs: record.receivedTimeNs, state: 'closed' })
          this.#gapsMovedNs = event.at.wallNs
          break
        case 'gap_settled':
          this.#changeGap(record.gapId, { state: record.state })
          break
        case 'gap_withdrawn':
          this.#changeGap(record.gapId, null)
          this.#gapsMovedNs = event.at.wallNs
          break
        case 'session_opened':
        case 'session_closed':
        case 'epoch_started':
        case 'epoch_ended':
        case 'book_message':
        case 'book_snapshot':
        case 'quote':
        case 'instrument':
        case 'quarantine':
          break
      }
    }
  }

  /** Null until this process began to record: what the state says before is of an earlier life. */
  get run(): RunSettings | null {
    return this.#run
  }

  trades(symbol: string): readonly TradeRecord[] {
    return this.#trades.get(symbol) ?? []
  }

  audits(symbol: string): readonly AuditRecord[] {
    return this.#audits.get(symbol) ?? []
  }

  get latestAudits(): readonly AuditRecord[] {
    return this.#latestAudits
  }

  get differentAudits(): readonly AuditRecord[] {
    return this.#differentAudits
  }

  /** Since the start. */
  get auditCounts(): Readonly<Record<AuditRecord['result'], number>> {
    return this.#auditCounts
  }

  get gaps(): readonly RecentGap[] {
    return this.#gaps
  }

  /** When a gap last began, ended or was withdrawn, by the wall clock; null when none did yet. */
  get gapsMovedNs(): bigint | null {
    return this.#gapsMovedNs
  }

  /** A gap that is too old to be kept is none to be changed. */
  #changeGap(gapId: string, change: Partial<RecentGap> | null): void {
    const at = this.#gaps.findIndex((gap) => gap.gapId === gapId)
    const gap = this.#gaps[at]
    if (gap === undefined) return
    if (change === null) this.#gaps.splice(at, 1)
    else this.#gaps[at] = { ...gap, ...change }
  }
}

/** By the venue's time, each id once: it comes on both feeds, and again from REST, which also brings old ones. */
function addTrade(trades: TradeRecord[], trade: TradeRecord): void {
  const known = trades.findIndex(({ tradeId }) => tradeId === trade.tradeId)
  if (known !== -1) {
    const first = trades[known]
    if (trade.broken && first?.broken === false) trades[known] = { ...first, broken: true }
    return
  }
  const olderAt = trades.findIndex(({ eventTimeNs }) => eventTimeNs <= trade.eventTimeNs)
  trades.splice(olderAt === -1 ? trades.length : olderAt, 0, trade)
  if (trades.length > RECENT_TRADES) trades.pop()
}

function putFirst<T>(list: T[], value: T, most: number): void {
  list.unshift(value)
  if (list.length > most) list.pop()
}

function listOf<T>(lists: Map<string, T[]>, key: string): T[] {
  const list = lists.get(key)
  if (list !== undefined) return list
  const made: T[] = []
  lists.set(key, made)
  return made
}

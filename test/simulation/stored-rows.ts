import type { MarketRecord } from '@booktape/market'

type Of<Kind extends MarketRecord['kind']> = Extract<MarketRecord, { kind: Kind }>

export type StoredSession = { opened: Of<'session_opened'>; closed: Of<'session_closed'> | null }
export type StoredEpoch = { started: Of<'epoch_started'>; ended: Of<'epoch_ended'> | null }
export type StoredGap = {
  opened: Of<'gap_opened'>
  closed: Of<'gap_closed'> | null
  settled: Of<'gap_settled'> | null
}

/**
 * The tables of packages/store in memory, with its writer's meaning: natural keys, the first row stays, what ends a thing
 * changes its row once, and a withdrawn gap is no more.
 */
export class StoredRows {
  readonly sessions = new Map<string, StoredSession>()
  readonly epochs = new Map<string, StoredEpoch>()
  readonly gaps = new Map<string, StoredGap>()
  readonly messages = new Map<string, Of<'book_message'>>()
  readonly snapshots = new Map<string, Of<'book_snapshot'>>()
  readonly quotes = new Map<string, Of<'quote'>>()
  readonly trades = new Map<string, Of<'trade'>>()
  readonly audits = new Map<string, Of<'audit'>>()
  readonly quarantine = new Map<string, Of<'quarantine'>>()
  /** Keys of rows that came a second time and cannot have: one journal entry was stored twice. */
  readonly twice: string[] = []

  /** One batch: what began first, what it brought next, what ended last. */
  apply(records: readonly MarketRecord[]): void {
    for (const record of records) this.#insert(record)
    for (const record of records) this.#change(record)
  }

  #insert(record: MarketRecord): void {
    switch (record.kind) {
      case 'session_opened':
        return this.#once(this.sessions, record.sessionId, { opened: record, closed: null }, record.kind)
      case 'epoch_started':
        return this.#once(this.epochs, record.epochId, { started: record, ended: null }, record.kind)
      case 'gap_opened':
        return this.#once(this.gaps, record.gapId, { opened: record, closed: null, settled: null }, record.kind)
      case 'book_message': {
        const key = `${record.epochId} ${record.messageSeq} ${microseconds(record.receivedTimeNs)}`
        return this.#once(this.messages, key, record, record.kind)
      }
      case 'book_snapshot': {
        const key = `${record.epochId} ${record.messageSeq} ${record.reason} ${microseconds(record.receivedTimeNs)}`
        return this.#once(this.snapshots, key, record, record.kind)
      }
      case 'quote': {
        const key = `${record.sessionId} ${record.messageSeq} ${microseconds(record.receivedTimeNs)}`
        return this.#once(this.quotes, key, record, record.kind)
      }
      case 'trade': {
        const key = `${record.symbol} ${record.tradeId}`
        if (!this.trades.has(key)) this.trades.set(key, record) // both feeds bring it
        return
      }
      case 'audit': {
        const { symbol, feed, method, receivedTimeNs } = record
        const key = `${symbol} ${feed} ${method} ${microseconds(receivedTimeNs)}`
        if (!this.audits.has(key)) this.audits.set(key, record) // two answers of one instant
        return
      }
      case 'quarantine': {
        const key = `${record.sessionId} ${record.messageSeq}`
        if (!this.quarantine.has(key)) this.quarantine.set(key, record) // a message may be kept for several reasons
        return
      }
      case 'instrument':
      case 'session_closed':
      case 'epoch_ended':
      case 'gap_closed':
      case 'gap_withdrawn':
      case 'gap_settled':
        return
    }
  }

  #change(record: MarketRecord): void {
    switch (record.kind) {
      case 'session_closed': {
        const row = this.sessions.get(record.sessionId)
        if (row !== undefined) row.closed ??= record
        return
      }
      case 'epoch_ended': {
        const row = this.epochs.get(record.epochId)
        if (row !== undefined) row.ended ??= record
        return
      }
      case 'gap_closed': {
        const row = this.gaps.get(record.gapId)
        if (row !== undefined) row.closed ??= record
        return
      }
      case 'gap_withdrawn':
        this.gaps.delete(record.gapId)
        return
      case 'gap_settled': {
        const row = this.gaps.get(record.gapId)
        if (row !== undefined && row.closed !== null) row.settled ??= record
        return
      }
      case 'trade': {
        const key = `${record.symbol} ${record.tradeId}`
        const row = this.trades.get(key)
        if (record.broken && row !== undefined && !row.broken) this.trades.set(key, { ...row, broken: true })
        return
      }
      default:
        return
    }
  }

  #once<Row>(table: Map<string, Row>, key: string, row: Row, name: string): void {
    if (table.has(key)) this.twice.push(`${name} ${key}`)
    else table.set(key, row)
  }
}

/** Postgres keeps microseconds. */
const microseconds = (ns: bigint): bigint => ns / 1000n

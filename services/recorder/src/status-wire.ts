// What the status page is told, as JSON: types alone and no imports, so that the page's own scripts are checked against them too.
// Prices, quantities and ids are texts, exact to the last digit. Instants are whole ms since 1970 UTC.

/** `GET /?overview`: the recorder and all its books. */
export type Overview = Readonly<{
  version: string
  line: string
  venue: string
  nowMs: number
  startedMs: number
  missing: readonly string[] // what keeps it from being ready, the first of them; empty when it is
  missingCount: number
  backlog: number // journal entries whose rows are not in Postgres yet
  sinceCommitMs: number | null // null before the first commit
  trouble: StoringTrouble | null
  journalBytes: number
  journalLimitBytes: number
  pace: Pace
  symbols: readonly SymbolLine[]
  audits: AuditsLook
  gaps: readonly GapLine[] // newest first, of this recorder since its start
  coverageReading: number // counts the readings that `GET /?coverage` gives; 0 before the first
}>

/** The database takes no rows since then. */
export type StoringTrouble = Readonly<{ class: string; reason: string; sinceMs: number }>

/** Samples `everyMs` apart, oldest first, the last one at `atMs`. A lag is null where nothing was stored yet. */
export type Pace = Readonly<{
  everyMs: number
  atMs: number
  lagMs: readonly (number | null)[]
  backlog: readonly number[]
}>

export type SymbolLine = Readonly<{ symbol: string; books: readonly BookLine[] }>

export type BookLine = Readonly<{
  feed: string
  liveSinceMs: number | null // null: not live
  quietMs: number | null // since the last message that continued the book
  bid: string | null
  ask: string | null
  open: readonly OpenGapLine[]
}>

export type OpenGapLine = Readonly<{ stream: string; cause: string; meaning: string; sinceMs: number }>

/** `toMs` null while it is open. */
export type GapLine = Readonly<{
  symbol: string
  feed: string
  stream: string
  cause: string
  meaning: string
  state: string
  fromMs: number
  toMs: number | null
}>

/** Counts since the start of this recorder; `different` are the newest that found another book at the venue. */
export type AuditsLook = Readonly<{
  equalCount: number
  differentCount: number
  different: readonly AuditLine[]
  latest: readonly AuditLine[]
}>

export type AuditLine = Readonly<{
  symbol: string
  feed: string
  method: string
  result: string
  levelsCompared: number
  levelsDifferent: number
  atMs: number
}>

/** `GET /?symbol=…&feed=…`: one book in depth, best level first, and its symbol's newest trades. */
export type SymbolLook = Readonly<{
  symbol: string
  feed: string
  nowMs: number
  liveSinceMs: number | null
  updateId: string | null
  bids: readonly LevelText[]
  asks: readonly LevelText[]
  bidLevels: number // in the whole book
  askLevels: number
  trades: readonly TradeLine[] // newest first
  audits: readonly AuditLine[] // newest first
}>

export type LevelText = readonly [price: string, quantity: string]

export type TradeLine = Readonly<{
  id: string
  atMs: number
  price: string
  quantity: string
  takerSide: string
  source: string
}>

/** `GET /?coverage`: the last 24 h of every book over all lines, as the database has it. */
export type CoverageLook = Readonly<{
  reading: number
  fromMs: number
  toMs: number
  trouble: Readonly<{ reason: string; sinceMs: number }> | null // why there is no newer reading
  isWhole: boolean
  books: readonly BookCoverage[]
}>

export type BookCoverage = Readonly<{
  symbol: string
  feed: string
  liveMs: number
  gapMs: number
  marks: readonly CoverageMark[]
}>

/** Where a book was not known: a gap, or several too close to be drawn apart; or `off`, where it was not to be recorded. */
export type CoverageMark = Readonly<{
  state: 'gap' | 'off'
  fromMs: number
  toMs: number
  count: number
  lostMs: number
  reasons: readonly string[]
}>

export { MAX_GAPS_AT_ONCE, type UnfilledGap, type UnfilledGaps, unfilledGaps } from './account-gaps.ts'
export {
  ACCOUNT_TABLES,
  type AccountRow,
  type AccountRows,
  type AccountTable,
  type AccountValue,
  noAccountRows,
} from './account-tables.ts'
export { type AccountBatch, type AccountPosition, type AccountWriteResult, AccountWriter } from './account-writer.ts'
export { answerQuotes } from './answer-quotes.ts'
export {
  type BooksOfDay,
  booksOfDay,
  closedDays,
  type QuoteOfDay,
  type StoredDay,
  storedDay,
  storedDigests,
  storedQuotesOfDay,
  storedTradesOfDay,
  type TradeOfDay,
  type TradesOfDay,
  tradesOfDay,
} from './archive-source.ts'
export { type ArchivedDay, archivedDays, forgetArchivedDay, noteArchivedDay } from './archived-days.ts'
export { cleanText } from './array-text.ts'
export { type BookSpan, bookSpans, openingBook, type PriceLevels, type ReplayQuestion } from './book-spans.ts'
export { type CheckedBook, checkedBooks } from './checked-books.ts'
export { type CheckedRun, checkedMessages } from './checked-messages.ts'
export { type CheckedRow, checkedRows } from './checked-rows.ts'
export {
  type BookName,
  type Coverage,
  type MissedSpan,
  readCoverage,
  type UncoveredSpan,
} from './coverage-read.ts'
export { type Database, type DatabaseOptions, openDatabase } from './database.ts'
export { readDatabaseSetting, redactDatabaseUrl } from './database-url.ts'
export { type EpochToVerify, epochsToVerify } from './epochs-to-verify.ts'
export { orStoreError, RETRY_CLASSES, type RetryClass } from './failure.ts'
export { type LedgerFault, ledgerFaults } from './ledger-faults.ts'
export { MIGRATION_PROBLEMS, MigrationError, type MigrationProblem, migrate, pendingMigrations } from './migrate.ts'
export { DAYS_AHEAD, defaultPartitionRows, ensurePartitions } from './partitions.ts'
export type { PoisonRow } from './poison-rows.ts'
export { type DayPartition, dropPartition, oldPartitions } from './retention.ts'
export { GatheredRows } from './rows.ts'
export { settle } from './settle.ts'
export { type FeedStatus, readStatus, type StoreStatus } from './status-read.ts'
export { STORE_PROBLEMS, StoreError, type StoreProblem } from './store-error.ts'
export { type StoredGap, storedGaps } from './stored-gaps.ts'
export { storedInstruments } from './stored-instruments.ts'
export { type MessageRange, type StoredMessage, storedMessages } from './stored-messages.ts'
export { type QuoteSpan, type StoredQuote, storedQuotes } from './stored-quotes.ts'
export { storedTrades } from './stored-trades.ts'
export type { Tables } from './tables.ts'
export { COUNTED_RELATIONS, type TallyFault, tallied, tallyFaults } from './tally-faults.ts'
export { timestampText } from './timestamp.ts'
export type { TradeConflict } from './trade-conflicts.ts'
export {
  BACKFILL_LINE,
  type MissingTrades,
  missingTrades,
  type StoredTrades,
  storeTradePage,
  type TradeHole,
  type TradePage,
  type TradeRead,
  type TradeSpan,
} from './trade-reads.ts'
export { claimVenue, type VenueName } from './venue-stamp.ts'
export type { VerifySpan } from './verify-span.ts'
export { type Batch, type BatchOrigin, type WriteResult, Writer } from './writer.ts'

export { type AccountParts, recordAccount } from './account.ts'
export { type AccountConfig, type QuoteAsk, readAccountConfig } from './config.ts'
export { WrongDatabaseError } from './contact.ts'
export { refuseCores } from './core-limit.ts'

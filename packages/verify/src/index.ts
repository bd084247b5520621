export { BookCheck, type Hole } from './book-check.ts'
export { type Finding, type FindingKind } from './finding.ts'
export { type VerifyEvent, type VerifyReport, verify } from './verify.ts'

import { storeSettled } from './recording.fixture.ts'

// The same tests over messages that were settled into chunks: nothing may tell the difference.
storeSettled()
await import('./market-analytics.test.ts')
await import('./market-book-between.test.ts')

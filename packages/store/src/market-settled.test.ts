import { storeSettled } from './recording.fixture.ts'

// The whole reading side once more, on messages that have been moved into chunks: what is asked must not show it.
storeSettled()
await import('./market-books.test.ts')
await import('./market-model.test.ts')
await import('./market-stream.test.ts')
await import('./market-views.test.ts')

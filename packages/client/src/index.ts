export * from './tape.ts'
export * from './tape-event.ts'

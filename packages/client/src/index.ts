export { eventLine } from './event-line.ts'
export { merge } from './merge.ts'
export * from './tape.ts'
export * from './tape-event.ts'

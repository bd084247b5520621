import type { Levels, WorkFrame } from './workload.ts'

/** A way to keep a book. What `prepare` makes of a frame is what `apply` takes: for measuring the book without its parser. */
export type Contestant = Readonly<{
  name: string
  open(snapshot: Uint8Array): TestedBook
  prepare(frame: WorkFrame): unknown
}>

export type TestedBook = Readonly<{
  /** One message; then its best prices are read, as whoever quotes from a book does. */
  apply(prepared: unknown): unknown
  /** The same from the frame's bytes. */
  take(payload: Uint8Array): unknown
  levels(): Levels
}>

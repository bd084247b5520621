import type { Part } from './part.ts'
import type { Seen, Step } from './playback.ts'
import type { Sidecar } from './sidecar.ts'
import type { OpenSink } from './sink.ts'

/** Turns the steps of one part into one kind of file. Nothing is waited for and nothing is kept but what the format needs. */
export type Encoder = Readonly<{
  take(step: Step): void
  /** After the last step. Gives what the manifest tells of this file beside its rows. */
  end(seen: Seen): Readonly<Record<string, string | number | boolean>>
}>

export type EncoderParts = Readonly<{ part: Part; open: OpenSink; sidecar: Sidecar; options: FormatOptions }>

/** What a user may choose. */
export type FormatOptions = Readonly<{
  /** hftbacktest: added to every receive time, where our clock was behind the venue's. */
  shiftNs: bigint
}>

/** One way of writing a recording. */
export type Format = Readonly<{
  name: string
  /** What may be asked for one by one, each an encoder. */
  data: Readonly<Record<string, (parts: EncoderParts) => Encoder>>
  /** Of these, what is one text and can go to standard output. */
  streamed: readonly string[]
  /** Levels of each side that a book of this format has; null: all. */
  levels: number | null
  /** What it cannot hold of any recording, a sentence each, for the manifest and the page. */
  limits: readonly string[]
}>

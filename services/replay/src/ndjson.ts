import { eventLine, instantOf, type Tape, type TapeQuestion } from '@booktape/client'
import type { Clock } from '@booktape/runtime'
import { type Pace, Pacer } from './pacer.ts'

/** Lines are gathered up to about so many characters before they are handed on. */
const CHARACTERS_AT_ONCE = 65_536

export type NdjsonOptions = Readonly<{
  tape: Pick<Tape, 'pages'>
  question: TapeQuestion & Readonly<{ from: bigint }>
  pace: Pace
  clock: Clock
  signal: AbortSignal
  /** Told how far the replay has come, now and then. */
  onPassed?: (nowNs: bigint, events: number) => void
}>

/** A recording as lines of JSON, some at a time, each event when its instant has come. Ends early when the signal fires. */
export async function* ndjson(options: NdjsonOptions): AsyncGenerator<string> {
  const { tape, question, signal, onPassed } = options
  const { from, clock = 'received' } = question
  const pacer = new Pacer(options.pace, options.clock, from)
  let text = ''
  let events = 0
  let nowNs = from
  for await (const page of tape.pages(question)) {
    for (const event of page) {
      const instantNs = instantOf(event, clock)
      if (instantNs > nowNs) {
        nowNs = instantNs
        if (!pacer.isDue(instantNs)) {
          if (text !== '') yield text
          text = ''
          await pacer.passTo(instantNs, signal)
        }
      }
      if (signal.aborted) return
      text += eventLine(event)
      events++
      if (text.length < CHARACTERS_AT_ONCE) continue
      yield text
      text = ''
    }
    onPassed?.(nowNs, events)
  }
  if (text !== '') yield text
}

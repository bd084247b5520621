import { eventLine } from '@booktape/client'
import type { Encoder, EncoderParts, Format } from './encoder.ts'

/** One event of the tape a line, everything in it, spelled as a replay does. */
export const ndjson: Format = { name: 'ndjson', data: { events }, streamed: ['events'], levels: null, limits: [] }

function events(parts: EncoderParts): Encoder {
  const { symbol, day } = parts.part
  const sink = parts.open(`${symbol}_${day}.ndjson.gz`, 'gzip')
  return {
    take: ({ event }) => sink.write(eventLine(event), 1),
    end: () => ({}),
  }
}

import { book } from './areas/book.ts'
import { bookAt } from './areas/book-at.ts'
import { growth } from './areas/growth.ts'
import { idle } from './areas/idle.ts'
import { ingest } from './areas/ingest.ts'
import { outage } from './areas/outage.ts'
import { parse } from './areas/parse.ts'
import { pipeline } from './areas/pipeline.ts'
import { readers } from './areas/readers.ts'
import { replay } from './areas/replay.ts'
import { resync } from './areas/resync.ts'
import { storage } from './areas/storage.ts'
import type { Area } from './measure.ts'

/** In the order in which a message meets them. */
export const AREAS: readonly Area[] = [
  book,
  parse,
  pipeline,
  readers,
  outage,
  ingest,
  storage,
  bookAt,
  replay,
  resync,
  growth,
  idle,
]

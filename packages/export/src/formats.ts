import { csv } from './csv.ts'
import { databento } from './databento.ts'
import type { Format } from './encoder.ts'
import { hftbacktest } from './hftbacktest.ts'
import { nautilus } from './nautilus.ts'
import { ndjson } from './ndjson.ts'
import { tardis } from './tardis.ts'

export const FORMATS: readonly Format[] = [tardis, hftbacktest, nautilus, databento, csv, ndjson]

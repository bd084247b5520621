import { overview } from './overview.ts'
import { pipeline } from './pipeline.ts'
import { quality } from './quality.ts'
import { quotes } from './quotes.ts'
import { symbol } from './symbol.ts'

/** The dashboards by the name of their file in deploy/grafana/dashboards: `node deploy/grafana/src/write.ts` writes them. */
export const DASHBOARDS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({ overview, symbol, pipeline, quality, quotes }).map(([name, model]) => [
    `${name}.json`,
    `${JSON.stringify(model, null, 2)}\n`,
  ]),
)

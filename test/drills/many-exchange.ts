import { startExchangeServer } from '@booktape/exchange'
import { systemClock } from '@booktape/runtime'
import { manySymbols, rateOfGemini } from './many-symbols.ts'

// As many symbols as Gemini has, as busy as Gemini is, in a process of its own: the seed and the count are its arguments.

const [seed = '1', count = '347'] = process.argv.slice(2)
const symbols = manySymbols(Number(count))
const server = await startExchangeServer({
  port: 0,
  seed: Number(seed),
  rate: rateOfGemini(symbols),
  symbols,
  clock: systemClock(),
})
process.stdout.write(`${symbols.length} symbols at ${server.url} (until SIGTERM)\n`)
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)))

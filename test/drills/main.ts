import { parseArgs } from 'node:util'
import { allSymbols } from './all-symbols.ts'
import { archive } from './archive.ts'
import { corruption } from './corruption.ts'
import type { Drill } from './drill.ts'
import { exportMemory } from './export-memory.ts'
import { exports } from './exports.ts'
import { halfOpen } from './half-open.ts'
import { kills } from './kills.ts'
import { lines } from './lines.ts'
import { orders } from './orders.ts'
import { outage } from './outage.ts'
import { quotes } from './quotes.ts'
import { replay } from './replay.ts'
import { reshard } from './reshard.ts'
import { rolling } from './rolling.ts'
import { runbook } from './runbook.ts'
import { trades } from './trades.ts'
import { viewers } from './viewers.ts'
import { worlds } from './worlds.ts'

/** Each a promise, tried against real processes for as long as it takes. Exit code 1 when one is broken. */
const DRILLS: Readonly<Record<string, Drill>> = {
  kills,
  outage,
  lines,
  trades,
  corruption,
  'half-open': halfOpen,
  quotes,
  orders,
  rolling,
  reshard,
  runbook,
  exports,
  'export-memory': exportMemory,
  viewers,
  replay,
  archive,
  worlds,
  'all-symbols': allSymbols,
}

/** The first ones tell the story. */
const MAX_STORIES = 40

const say = (sentence: string): void => void process.stdout.write(`${sentence}\n`)
const [name = '', ...rest] = process.argv.slice(2)
process.exitCode = await run(name, rest)

async function run(asked: string, args: readonly string[]): Promise<number> {
  const drill = DRILLS[asked]
  if (drill === undefined) {
    process.stderr.write(`drill: name one of\n${usage()}\n`)
    return 64
  }
  const numbers = read(drill, args)
  if (typeof numbers === 'string') {
    process.stderr.write(`drill: ${numbers}\n`)
    return 64
  }
  say(`${asked}: ${[...numbers].map(([option, value]) => `${option} ${value}`).join(', ')}`)
  const violations = await drill.run((option) => numbers.get(option) ?? 0, say)
  if (violations.length === 0) say('every promise kept')
  else say(`${violations.length} violations:\n\n${violations.slice(0, MAX_STORIES).join('\n\n')}`)
  return violations.length === 0 ? 0 : 1
}

function read(drill: Drill, args: readonly string[]): Map<string, number> | string {
  const options = Object.fromEntries(Object.keys(drill.usual).map((option) => [option, { type: 'string' as const }]))
  try {
    const { values } = parseArgs({ args: [...args], options })
    const numbers = new Map(Object.entries(drill.usual))
    for (const [option, text] of Object.entries(values)) {
      const number = Number(text)
      if (!(number >= 0) || !Number.isFinite(number)) return `--${option} is a number, not ${text}`
      numbers.set(option, number)
    }
    return numbers
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function usage(): string {
  return Object.entries(DRILLS)
    .map(([drill, { about, usual }]) => {
      const options = Object.entries(usual).map(([option, value]) => `--${option} ${value}`)
      return `  ${drill} ${options.join(' ')}\n      ${about}`
    })
    .join('\n')
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TapeEvent } from '@booktape/client'
import { exportParts, FORMATS, partsOf } from '@booktape/export'
import type { DecimalText, LevelChange } from '@booktape/market'
import { planOf } from '../exports/compare-books.ts'
import type { Drill } from './drill.ts'
import { mebibytes } from './drill.ts'

const FROM_NS = 20_500n * 86_400_000_000_000n
const DAY_NS = 86_400_000_000_000n
const CHANGES_A_MESSAGE = 5
const MESSAGES_A_PAGE = 2_000
const LEVELS = 500
const MILLION = 1_000_000
/** Long enough to see the process at its largest, too short to be felt. */
const SAMPLE_MS = 50

/**
 * A day of one symbol with as many changes as asked for, from a source that makes them up as they are read, into each format: what the
 * process holds at most. Reading from Postgres has its own pages and is in `npm run bench`.
 */
export const exportMemory: Drill = {
  about: 'one busy day of one symbol into each format: memory stays flat, whatever its size',
  usual: { millions: 100, 'goal-mib': 600, format: 0 },
  async run(numbers, say) {
    const changes = numbers('millions') * MILLION
    const violations: string[] = []
    const formats = numbers('format') === 0 ? FORMATS : FORMATS.slice(numbers('format') - 1, numbers('format'))
    for (const { name } of formats) {
      const directory = await mkdtemp(join(tmpdir(), 'booktape-test-'))
      let peak = 0
      const sample = (): void => {
        peak = Math.max(peak, process.memoryUsage.rss())
      }
      const timer = setInterval(sample, SAMPLE_MS)
      try {
        const startNs = process.cpuUsage()
        const source = { pages: () => busyDay(changes) }
        for await (const { manifest } of exportParts(
          source,
          partsOf('btcusd', 'v1', FROM_NS, FROM_NS + DAY_NS),
          planOf(name, directory, 1),
        )) {
          sample()
          const { user, system } = process.cpuUsage(startNs)
          const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
          const rate = Math.round(changes / ((user + system) / MILLION))
          say(
            `${name}: ${manifest.counts['changes']} changes, ${mebibytes(bytes)}, ${rate} changes per second of one core, at most ${mebibytes(peak)} of memory`,
          )
          if (manifest.counts['changes'] !== changes) violations.push(`${name}: not all changes are there`)
        }
        const goal = numbers('goal-mib')
        if (goal > 0 && peak > goal * 2 ** 20)
          violations.push(`${name} held ${mebibytes(peak)}, the goal is ${goal} MiB`)
      } finally {
        clearInterval(timer)
        await rm(directory, { recursive: true, force: true })
      }
    }
    return violations
  },
}

const price = (cents: number): DecimalText => (cents / 100).toFixed(2).replace(/\.?0+$/, '') as DecimalText
const BEST = 8_400_000 // cents

async function* busyDay(changes: number): AsyncGenerator<readonly TapeEvent[]> {
  const origin = { symbol: 'btcusd', feed: 'v1', line: 'a', epochId: '00000000-0000-8000-8000-000000000001' } as const
  const side = (direction: 1 | -1) =>
    Array.from({ length: LEVELS }, (_, i) => ({
      price: price(BEST + direction * (i + 1)),
      quantity: '1' as DecimalText,
    }))
  const times = (seq: bigint) => {
    const receivedTimeNs = FROM_NS + (DAY_NS / BigInt(Math.ceil(changes / CHANGES_A_MESSAGE) + 2)) * seq
    return {
      eventTimeNs: receivedTimeNs - 40_000_000n > FROM_NS ? receivedTimeNs - 40_000_000n : FROM_NS,
      receivedTimeNs,
    }
  }
  yield [{ kind: 'book', ...origin, messageSeq: 1, updateId: 1n, ...times(1n), bids: side(-1), asks: side(1) }]
  let seq = 1
  for (let made = 0; made < changes; ) {
    const page: TapeEvent[] = []
    while (page.length < MESSAGES_A_PAGE && made < changes) {
      seq++
      const count = Math.min(CHANGES_A_MESSAGE, changes - made)
      const levels = Array.from({ length: count }, (_, i): LevelChange => {
        const n = made + i
        const isBid = n % 2 === 0
        const distance = 1 + ((n * 7919) % LEVELS)
        // Any digits, so that nothing compresses better than it would.
        const quantity = `${n % 13}.${((n * 2_654_435_761) % 99_999_989) + 1}`.replace(/0+$/, '') as DecimalText
        return {
          side: isBid ? 'bid' : 'ask',
          price: price(BEST + (isBid ? -distance : distance)),
          quantity,
          reason: 'place',
        }
      })
      made += count
      const lastUpdateId = BigInt(seq)
      page.push({
        kind: 'book_message',
        ...origin,
        messageSeq: seq,
        firstUpdateId: lastUpdateId - 1n,
        lastUpdateId,
        ...times(lastUpdateId),
        changes: levels,
      })
    }
    yield page
  }
}

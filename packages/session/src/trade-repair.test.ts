import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MarketRecord } from '@booktape/market'
import fc from 'fast-check'
import type { Instant } from './event.ts'
import { emptyStep } from './step.ts'
import { newTrack, type Track } from './track.ts'
import {
  hurryRepair,
  newTradeRepair,
  PAGE_DEADLINE_MS,
  repairWhenDue,
  type TradeRepair,
  takePage,
} from './trade-repair.ts'

const MINUTE_MS = 60_000
const START_MS = 1_790_000_000_000

type Made = { tradeId: number; timeMs: number }

test('a trade that came before the first one we saw is read', () => {
  const world = newWorld()
  world.passMinutes(1) // the first look: the venue has no trade at all
  world.make(101) // never reached us
  world.make(102)
  world.see(102)
  world.passMinutes(21)
  assert.deepEqual(world.stored(), [101, 102])
})

test('the first look reads the newest trades, and what follows is read from there', () => {
  const world = newWorld()
  for (let id = 1; id <= 700; id++) world.make(id)
  world.passMinutes(1)
  assert.equal(world.stored().at(0), 201)
  world.make(701)
  world.passMinutes(11)
  assert.equal(world.stored().at(-1), 701)
  assert.equal(world.stored().length, 501)
})

test('a first look that comes late reads back to where recording began', () => {
  const world = newWorld()
  world.isReachable = false
  world.passMinutes(1)
  for (let id = 1; id <= 1_200; id++) world.make(id)
  world.isReachable = true
  world.passMinutes(10)
  assert.equal(world.stored().length, 1_200)
})

test('a gap is filled from the last trade before it', () => {
  const world = newWorld()
  world.make(10)
  world.see(10)
  world.passMinutes(1)
  world.loseAndReturn('g', () => world.make(11, 12))
  world.passMinutes(1)
  assert.deepEqual(world.stored(), [10, 11, 12])
  assert.deepEqual(world.settled(), ['g filled'])
})

test('where trade ids began anew inside a gap, the gap is read by time', () => {
  const world = newWorld()
  world.make(1_000)
  world.see(1_000)
  world.passMinutes(1)
  world.loseAndReturn('g', () => {
    world.forgetTrades() // a new count, and the trade before it is listed no more
    world.make(1, 2)
  })
  world.passMinutes(1)
  assert.deepEqual(world.stored(), [1, 2, 1_000])
  assert.deepEqual(world.settled(), ['g filled'])
})

test('where trade ids began anew and the old ones are still listed, the next live trade gives it away', () => {
  const world = newWorld()
  world.make(1_000)
  world.see(1_000)
  world.passMinutes(1)
  world.loseAndReturn('g', () => world.make(1, 2))
  world.passMinutes(2)
  world.make(3)
  world.see(3)
  world.passMinutes(11)
  assert.deepEqual(world.stored(), [1, 2, 3, 1_000])
})

test('a page that never comes is asked for again, and an hour of refusals makes the gap unfillable', () => {
  const world = newWorld()
  world.passMinutes(1)
  world.isReachable = false
  world.loseAndReturn('g', () => world.make(5))
  world.passMinutes(70)
  assert.deepEqual(world.settled(), ['g unfillable'])

  const deaf = newWorld()
  deaf.isDeaf = true
  deaf.passMinutes(1)
  deaf.make(5)
  deaf.isDeaf = false
  deaf.passMinutes(PAGE_DEADLINE_MS / MINUTE_MS + 12)
  assert.deepEqual(deaf.stored(), [5])
})

test('where a message was lost, trades are read at once, but not oftener than every ten seconds', () => {
  const world = newWorld()
  world.passMinutes(1)
  world.make(1)
  world.hurry()
  world.passMinutes(0.2)
  assert.deepEqual(world.stored(), [1])
  const before = world.reads()
  for (let i = 0; i < 12; i++) {
    world.hurry()
    world.passMinutes(0.01)
  }
  assert.ok(world.reads() - before <= 1, `${world.reads() - before} reads`)
})

test('whatever is made, seen and lost: after a read everything made since the beginning is stored', () => {
  const happening = fc.oneof(
    fc.record({ kind: fc.constant('made' as const), count: fc.integer({ min: 1, max: 900 }), seen: fc.boolean() }),
    fc.record({ kind: fc.constant('gap' as const), count: fc.integer({ min: 0, max: 700 }) }),
    fc.record({ kind: fc.constant('passes' as const), minutes: fc.integer({ min: 1, max: 25 }) }),
    fc.record({ kind: fc.constant('reachable' as const), is: fc.boolean() }),
  )
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 30 }), (happenings) => {
      const world = newWorld()
      world.passMinutes(1)
      let id = 0
      let gap = 0
      const make = (count: number): number[] => {
        const ids = Array.from({ length: count }, () => (id += 3))
        world.make(...ids)
        return ids
      }
      for (const it of happenings) {
        if (it.kind === 'made') {
          const ids = make(it.count)
          if (it.seen) for (const made of ids) world.see(made)
        }
        if (it.kind === 'gap') world.loseAndReturn(`g${gap++}`, () => make(it.count))
        if (it.kind === 'passes') world.passMinutes(it.minutes)
        if (it.kind === 'reachable') world.isReachable = it.is
      }
      world.isReachable = true
      world.passMinutes(45)
      assert.deepEqual(
        world.stored(),
        Array.from({ length: id / 3 }, (_, i) => (i + 1) * 3),
      )
    }),
    { numRuns: 200 },
  )
})

/** A venue that answers at once, by the rules of claim 22 in docs/gemini.md, and one symbol on the new API. */
function newWorld() {
  const track: Track = newTrack('btcusd', 'ws')
  const repair: TradeRepair = newTradeRepair()
  const records: MarketRecord[] = []
  let venue: Made[] = []
  let pages = 0
  let ms = 0
  const at = (): Instant => ({ wallNs: BigInt(START_MS + ms) * 1_000_000n, monoNs: BigInt(ms) * 1_000_000n })
  const world = {
    isReachable: true,
    isDeaf: false,
    reads: () => pages,
    hurry(): void {
      hurryRepair(repair, at())
    },
    make(...ids: number[]): void {
      for (const tradeId of ids) venue.push({ tradeId, timeMs: START_MS + ms++ })
    },
    forgetTrades(): void {
      venue = []
    },
    see(tradeId: number): void {
      track.lastTrade = { tradeId: BigInt(tradeId), receivedNs: at().wallNs }
      const made = venue.find((trade) => trade.tradeId === tradeId)
      assert.ok(made)
      records.push({ ...tradeRecord, tradeId: BigInt(tradeId) })
    },
    loseAndReturn(gapId: string, meanwhile: () => void): void {
      const fromId = track.lastTrade?.tradeId ?? null
      const startedNs = at().wallNs
      meanwhile()
      track.unfilled.push({ gapId, fromId, startedNs, cause: 'disconnect' })
    },
    passMinutes(minutes: number): void {
      for (const endMs = ms + minutes * MINUTE_MS; ms < endMs; ms += Math.min(10_000, minutes * MINUTE_MS)) {
        for (let page = 0; page < 100; page++) {
          const step = emptyStep()
          repairWhenDue(repair, [track], at(), step)
          records.push(...step.records)
          const [order] = step.orders
          if (order?.kind !== 'fetch_trades' || world.isDeaf) break
          pages++
          const answer = emptyStep()
          const status = world.isReachable ? 200 : 503
          takePage(
            repair,
            { kind: 'trades_page', at: at(), symbol: 'btcusd', status, body: pageText(venue, order.from) },
            answer,
          )
          records.push(...answer.records)
        }
      }
    },
    stored(): number[] {
      const ids = records.flatMap((record) => (record.kind === 'trade' ? [Number(record.tradeId)] : []))
      return [...new Set(ids)].sort((a, b) => a - b)
    },
    settled(): string[] {
      return records.flatMap((record) => (record.kind === 'gap_settled' ? [`${record.gapId} ${record.state}`] : []))
    },
  }
  return world
}

const tradeRecord = {
  kind: 'trade',
  symbol: 'btcusd',
  eventTimeNs: 0n,
  receivedTimeNs: 0n,
  price: '1',
  quantity: '1',
  takerSide: 'buy',
  source: 'ws',
  broken: false,
} as unknown as Extract<MarketRecord, { kind: 'trade' }>

function pageText(venue: readonly Made[], from: { tradeId: bigint } | { timeMs: bigint } | null): string {
  const isAfter = (trade: Made): boolean =>
    from === null || ('tradeId' in from ? BigInt(trade.tradeId) > from.tradeId : BigInt(trade.timeMs) > from.timeMs)
  const after = venue.filter(isAfter)
  const page = from === null ? after.slice(-500) : after.slice(0, 500)
  const texts = page.map(
    ({ tradeId, timeMs }) =>
      `{"timestamp":${Math.floor(timeMs / 1000)},"timestampms":${timeMs},"tid":${tradeId},"price":"1.5","amount":"2","exchange":"gemini","type":"buy"}`,
  )
  return `[${texts.reverse().join(',')}]`
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AT_EXCHANGE, AT_LOCAL, EventOrder, type OrderedRow, REORDER_WINDOW_NS } from './event-order.ts'

type Event = readonly [stream: 'depth' | 'trades', exchangeNs: bigint | null, localNs: bigint]

/** What comes out, as `EL depth 10` for exchange, local or both. */
function ordered(events: readonly Event[]): { rows: string[]; moved: EventOrder['moved'] } {
  const rows: string[] = []
  const order = new EventOrder((row, flags) => {
    const ends = `${(flags & AT_EXCHANGE) !== 0n ? 'E' : ''}${(flags & AT_LOCAL) !== 0n ? 'L' : ''}`
    rows.push(`${ends} ${row.stream} ${row.exchangeNs} ${row.localNs}`)
  })
  for (const [stream, exchangeNs, localNs] of events) order.add({ stream, ev: 0n, exchangeNs, localNs, px: 0, qty: 0 })
  order.end()
  return { rows, moved: order.moved }
}

for (const [what, events, rows] of [
  [
    'where both orders agree, each event is one row',
    [
      ['depth', 10n, 20n],
      ['trades', 10n, 20n],
      ['depth', 12n, 25n],
    ],
    ['EL depth 10 20', 'EL trades 10 20', 'EL depth 12 25'],
  ],
  [
    'a trade that happened before a change and came after it is two rows',
    [
      ['depth', 10n, 20n],
      ['trades', 9n, 21n],
    ],
    ['E trades 9 21', 'EL depth 10 20', 'L trades 9 21'],
  ],
  [
    'a change keeps its place after the change before it',
    [
      ['depth', 10n, 20n],
      ['depth', 8n, 21n],
    ],
    ['EL depth 10 20', 'EL depth 10 21'],
  ],
  [
    'what is said to happen after it came is put just before it came',
    [
      ['depth', 50n, 20n],
      ['depth', null, 30n],
    ],
    ['EL depth 19 20', 'EL depth 29 30'],
  ],
  [
    'what comes later than the window cannot go before what is out',
    [
      ['depth', 10n, 20n],
      ['depth', 15n, 21n + REORDER_WINDOW_NS],
      ['trades', 9n, 30n + REORDER_WINDOW_NS],
    ],
    ['EL depth 10 20', `EL depth 15 ${21n + REORDER_WINDOW_NS}`, `EL trades 15 ${30n + REORDER_WINDOW_NS}`],
  ],
] as const satisfies readonly (readonly [string, readonly Event[], readonly string[]])[]) {
  test(what, () => assert.deepEqual(ordered(events).rows, rows))
}

test('what was changed is counted', () => {
  const { moved } = ordered([
    ['depth', 10n, 20n],
    ['trades', 9n, 21n],
    ['depth', 40n, 30n],
    ['depth', 5n, 31n],
  ])
  assert.deepEqual(moved, { lowered: 1, worstLoweringNs: 11n, raised: 1, split: 1 })
})

test('whatever comes, both orders hold, changes keep theirs, and each side gets everything', () => {
  const event = fc.tuple(fc.boolean(), fc.option(fc.bigInt(0n, 400n)), fc.bigInt(0n, 5n))
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (steps) => {
      const out: { row: OrderedRow; flags: bigint }[] = []
      const order = new EventOrder((row, flags) => out.push({ row, flags }))
      let localNs = 200n
      for (const [i, [isDepth, exchangeNs, later]] of steps.entries()) {
        localNs += later
        order.add({ stream: isDepth ? 'depth' : 'trades', ev: BigInt(i), exchangeNs, localNs, px: 0, qty: 0 })
      }
      order.end()
      const at = (flag: bigint) => out.filter(({ flags }) => (flags & flag) !== 0n).map(({ row }) => row)
      const exchange = at(AT_EXCHANGE)
      assert.deepEqual(
        at(AT_LOCAL).map(({ ev }) => ev),
        steps.map((_, i) => BigInt(i)),
      )
      assert.equal(exchange.length, steps.length)
      assert.ok(exchange.every((row, i) => i === 0 || row.exchangeNs >= (exchange[i - 1]?.exchangeNs ?? 0n)))
      assert.ok(out.every(({ row }) => row.localNs > row.exchangeNs))
      for (const stream of ['depth', 'trades'] as const) {
        const places = exchange.filter((row) => row.stream === stream).map(({ ev }) => ev)
        assert.deepEqual(
          places,
          [...places].sort((a, b) => Number(a - b)),
        )
      }
    }),
  )
})

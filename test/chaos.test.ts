import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crashPostgres, eatCommitReplies, terminateBackends } from './chaos/database-faults.ts'
import { play } from './chaos/nemesis.ts'
import { resetConnections, sliceVenue } from './chaos/network-faults.ts'
import { judge } from './chaos/oracle.ts'
import { killAtRandom, rollTwoLines } from './chaos/process-faults.ts'
import { disturbFrames } from './chaos/protocol-faults.ts'
import type { Scenario } from './chaos/scenario.ts'
import { World } from './chaos/world.ts'
import { Dice } from './simulation/dice.ts'

/** The long form is `npm run chaos`. In an order in which v1 never has to wait for its minute between two dials of a symbol. */
const ROUNDS: readonly Scenario[] = [
  { name: 'venue in slices', asked: 1, run: (world, dice) => sliceVenue(world, dice, 1_000) },
  { name: 'venue resets', asked: 1, run: (world, dice) => resetConnections(world, dice, 1) },
  { name: 'kill -9', asked: 1, run: (world, dice) => killAtRandom(world, dice, 5) },
  { name: 'COMMIT reply eaten', asked: 1, run: (world) => eatCommitReplies(world, 5) },
  { name: 'backends terminated', asked: 1, run: (world, dice) => terminateBackends(world, dice, 5) },
  { name: 'Postgres crash', asked: 1, run: (world, dice) => crashPostgres(world, dice, 3) },
  {
    name: 'protocol faults',
    asked: 1,
    run: (world, dice) =>
      disturbFrames(world, dice, 8, [
        'drop',
        'duplicate',
        'swap',
        'delay',
        'malformed',
        'binary',
        'unknown_type',
        'unknown_symbol',
      ]),
  },
  { name: 'two lines roll', asked: 1, run: (world) => rollTwoLines(world, 2) },
]
const SEED = 5

test('a tormented recorder loses nothing, doubles nothing and hides nothing', async (t) => {
  const world = await World.start({ seed: SEED, symbols: ['xrpusd', 'btcgusdperp', 'ethgusdperp'], rate: 3 })
  t.after(() => world.close())
  world.recorder('a').start()
  await world.recovered()
  for (const scenario of ROUNDS) await play(world, scenario, new Dice(SEED, scenario.name))
  const verdict = await judge(world, 60)
  assert.deepEqual(world.violations, [])
  t.diagnostic(JSON.stringify(verdict))
  for (const [name, faults] of [
    ['kill -9', 5],
    ['Postgres crash', 3],
    ['COMMIT reply eaten', 5],
    ['two lines roll', 4],
  ] as const) {
    assert.equal(world.faults.get(name), faults, name)
  }
  assert.ok(
    verdict.epochs > 50 && verdict.changes > 500 && verdict.trades > 5 && verdict.books > 50,
    'much was compared',
  )

  for (const [what, spoil, expected] of SPOILT) {
    world.violations.length = 0
    await world.postgres.query(spoil)
    await judge(world, 1)
    assert.match(world.violations.join('\n'), expected, `${what} is found`)
  }
})

/** What no recorder may do, done by hand at the end: an oracle that saw nothing would be worth nothing. */
const SPOILT = [
  [
    'a trade that is missing',
    `delete from booktape.trades where (symbol, trade_id) in (select symbol, trade_id from booktape.trades
       order by event_time offset (select count(*) / 2 from booktape.trades) limit 1)`,
    /the end: trade \d+ of \w+ \(.*\) is stored as nothing/,
  ],
  [
    'a gap of which nothing is said',
    `delete from booktape.gaps where gap_id = (select gap_id from booktape.gaps
       where stream = 'book' and to_id > from_id order by to_id - from_id desc limit 1)`,
    /the end: \w+ \w+ \w+: nothing is said of \(\d+, \d+\]/,
  ],
  [
    'a message of the new API that is missing',
    `delete from booktape.book_messages m using booktape.epochs e
     where m.epoch_id = e.epoch_id and e.epoch_id = (select epoch_id from booktape.book_messages where feed = 'ws' group by 1 order by count(*) desc limit 1)
       and m.message_seq = (select percentile_disc(0.5) within group (order by message_seq) from booktape.book_messages where epoch_id = e.epoch_id)`,
    /the end: \w+ \w+ ws: update \d+\.\.\d+ follows \d+ in epoch/,
  ],
  [
    'a level of v1 that is wrong',
    `update booktape.book_messages set quantities[1] = quantities[1] + 1
     where (epoch_id, message_seq) in (select epoch_id, message_seq from booktape.book_messages where feed = 'v1' order by received_time desc limit 1)`,
    /the end: what is stored is not what happened/,
  ],
] as const

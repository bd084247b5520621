import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { eventLine, type TapeEvent, type TapeQuestion } from '@booktape/client'
import { type DecimalText, type Feed, type LevelChange } from '@booktape/market'
import { ExportError, type ExportPlan, exportParts, type TapeSource } from './export.ts'
import { FORMATS } from './formats.ts'
import type { PartManifest } from './manifest.ts'
import { type Part, partsOf } from './part.ts'
import { streamPart } from './stream.ts'

const DAY_NS = 86_400_000_000_000n
const FROM_NS = 20_500n * DAY_NS + 10n * 3_600_000_000_000n
const SYMBOL = 'btcusd'
const HUGE = '999999999999999999.999999999999999999' // the widest value that is accepted
const FINE = '0.123456789012345678'

/** A book, what changes it and a trade, then a gap, then a smaller book; all on one day. */
const EVENTS: readonly TapeEvent[] = [
  book(1, {
    bids: [['100', '1']],
    asks: [
      ['101', '2'],
      [HUGE, '5'],
    ],
  }),
  trade(2, { price: '101', quantity: FINE, takerSide: 'buy' }),
  message(3, [
    ['ask', '101', FINE],
    ['bid', HUGE, '1'],
  ]),
  message(4, []),
  message(5, [
    ['ask', HUGE, '0'],
    ['bid', '99', FINE],
  ]),
  trade(6, { price: HUGE, quantity: '1', takerSide: 'auction' }),
  trade(7, { price: '101', quantity: '1', takerSide: 'sell', broken: true }),
  message(8, [['bid', '99', '3']]),
  { kind: 'gap', symbol: SYMBOL, feed: 'v1', fromNs: at(9), toNs: at(20), causes: ['disconnect'] },
  book(20, { bids: [], asks: [['100', '4']] }),
]

test('a finished part is not made again, one that differs or lacks a file is', async (t) => {
  const directory = scratch(t)
  const source = sourceOf(EVENTS)
  const parts = partsOf(SYMBOL, 'v1', at(0), at(30))
  const [first] = await run(source, parts, planOf('csv', directory))
  assert.equal(first?.isSkipped, false)
  const before = contentOf(directory)
  const [second] = await run(source, parts, planOf('csv', directory))
  assert.equal(second?.isSkipped, true)
  assert.equal(source.asked, 1)
  assert.deepEqual(contentOf(directory), before)

  truncateSync(join(directory, 'btcusd_trades_2026-02-16.csv.gz'), 10)
  assert.equal((await run(source, parts, planOf('csv', directory)))[0]?.isSkipped, false)
  assert.deepEqual(contentOf(directory), before)
  const [longer] = await run(source, partsOf(SYMBOL, 'v1', at(0), at(31)), planOf('csv', directory))
  assert.equal(longer?.isSkipped, false)
})

test('parts end at midnight, and one that fails leaves nothing of itself and all of those before', async (t) => {
  const directory = scratch(t)
  const parts = partsOf(SYMBOL, 'v1', at(0), at(0) + DAY_NS)
  assert.deepEqual(
    parts.map(({ day, fromNs, toNs }) => [day, toNs - fromNs]),
    [
      ['2026-02-16', 14n * 3_600_000_000_000n],
      ['2026-02-17', 10n * 3_600_000_000_000n],
    ],
  )
  const failing = sourceOf(EVENTS, { failOn: 2 })
  await assert.rejects(run(failing, parts, planOf('ndjson', directory)), /the database went away/)
  assert.deepEqual(filesOf(directory), [
    'btcusd_2026-02-16.ndjson.gz',
    'manifest.json',
    'manifest/btcusd_2026-02-16.json',
  ])
  const again = sourceOf(EVENTS)
  assert.deepEqual(
    (await run(again, parts, planOf('ndjson', directory))).map(({ isSkipped }) => isSkipped),
    [true, false],
  )
  assert.equal(again.asked, 1)
})

test('what a killed run left unfinished is removed', async (t) => {
  const directory = scratch(t)
  mkdirSync(join(directory, '.unfinished'))
  writeFileSync(join(directory, '.unfinished', '0'), 'half')
  await run(sourceOf(EVENTS), partsOf(SYMBOL, 'v1', at(0), at(30)), planOf('databento', directory))
  assert.deepEqual(
    filesOf(directory),
    [
      'gemini_btcusd_2026-02-16.mbp-10.csv.gz',
      'manifest.json',
      'manifest/btcusd_2026-02-16.json',
      'btcusd_2026-02-16.not-held.csv',
    ].sort(),
  )
})

test('files that a killed run had given their names already are removed, and those of finished parts stay', async (t) => {
  const directory = scratch(t)
  await run(sourceOf(EVENTS), partsOf(SYMBOL, 'v1', at(0), at(30)), planOf('csv', directory))
  const before = contentOf(directory)
  mkdirSync(join(directory, '.unfinished'))
  writeFileSync(join(directory, '.unfinished', 'publishing.json'), '["btcusd_trades_2026-02-17.csv.gz"]')
  writeFileSync(join(directory, 'btcusd_trades_2026-02-17.csv.gz'), 'of no manifest')
  await run(sourceOf(EVENTS), partsOf(SYMBOL, 'v1', at(0), at(30)), planOf('csv', directory))
  assert.deepEqual(contentOf(directory), before)
})

test('the manifest of a directory has the parts of every run', async (t) => {
  const directory = scratch(t)
  for (const feed of ['v1', null] as const) {
    const from = feed === null ? at(0) + DAY_NS : at(0)
    await run(sourceOf(EVENTS), partsOf(SYMBOL, feed, from, from + 30_000_000n), planOf('ndjson', directory))
  }
  const { parts } = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as { parts: { day: string }[] }
  assert.deepEqual(
    parts.map(({ day }) => day),
    ['2026-02-16', '2026-02-17'],
  )
})

test('a stop ends it between two pages', async (t) => {
  const directory = scratch(t)
  const stop = new AbortController()
  const plan = { ...planOf('csv', directory), stopping: stop.signal, onProgress: () => stop.abort() }
  await assert.rejects(run(sourceOf(EVENTS, { pages: 2 }), partsOf(SYMBOL, 'v1', at(0), at(30)), plan), {
    name: 'AbortError',
  })
  assert.deepEqual(filesOf(directory), ['manifest.json'])
})

test('a directory of another format, or with a manifest of somebody else, is refused', async (t) => {
  const directory = scratch(t)
  const parts = partsOf(SYMBOL, 'v1', at(0), at(30))
  await run(sourceOf(EVENTS), parts, planOf('csv', directory))
  await assert.rejects(run(sourceOf(EVENTS), parts, planOf('ndjson', directory)), (error) => {
    assert.ok(error instanceof ExportError)
    assert.equal(error.message, `${directory} holds an export of format csv: choose another directory for ndjson.`)
    return true
  })
  writeFileSync(join(directory, 'manifest.json'), '{"name":"something"}')
  await assert.rejects(
    run(sourceOf(EVENTS), parts, planOf('csv', directory)),
    /holds a manifest\.json that no export wrote/,
  )
})

test('the manifest has the checksum, size and rows of each file, gaps, epochs and what was seen', async (t) => {
  const directory = scratch(t)
  await run(sourceOf(EVENTS), partsOf(SYMBOL, 'v1', at(0), at(30)), planOf('csv', directory))
  const manifest = JSON.parse(readFileSync(join(directory, 'manifest/btcusd_2026-02-16.json'), 'utf8')) as PartManifest
  for (const { name, bytes, sha256 } of manifest.files) {
    const content = readFileSync(join(directory, name))
    assert.equal(bytes, content.length)
    assert.equal(sha256, createHash('sha256').update(content).digest('hex'))
  }
  assert.deepEqual(
    manifest.files.map(({ name, rows }) => [name, rows]),
    [
      ['btcusd_book_changes_2026-02-16.csv.gz', 9],
      ['btcusd_trades_2026-02-16.csv.gz', 3],
      ['btcusd_gaps_2026-02-16.csv', 1],
    ],
  )
  assert.deepEqual(manifest.counts, {
    books: 2,
    messages: 4,
    changes: 5,
    trades: 3,
    trades_from_rest: 0,
    broken_trades: 1,
    gaps: 1,
  })
  assert.deepEqual(manifest.gaps, [{ from_ns: `${at(9)}`, to_ns: `${at(20)}`, causes: ['disconnect'] }])
  assert.deepEqual(
    manifest.epochs.map((epoch) => [epoch['first_update_id'], epoch['last_update_id']]),
    [
      ['1', '8'],
      ['20', '20'],
    ],
  )
  assert.equal(manifest.booktape, 'test')
  assert.deepEqual(manifest.facts['book_changes'], { messages_without_changes: 1 })
  assert.deepEqual(
    manifest.book_digests.map(({ digest }) => digest === null),
    [true, true, false], // 10 and 20 ms: the gap ends at 20
  )
})

/** Where a gap stands: after everything of the microsecond that it begins in. */
const ENDS = at(9) + 999n

for (const [format, rows] of [
  ['csv', []],
  ['ndjson', []],
  [
    'hftbacktest',
    [
      `level,${at(1)},1,1,,ask,${HUGE},5,left_out`,
      `trade,${at(2)},,,2,buy,101,${FINE},rounded`,
      `level,${at(3)},3,3,,ask,101,${FINE},rounded`,
      `level,${at(3)},3,3,,bid,${HUGE},1,left_out`,
      `level,${at(5)},5,5,,ask,${HUGE},0,left_out`,
      `level,${at(5)},5,5,,bid,99,${FINE},rounded`,
      `trade,${at(6)},,,6,auction,${HUGE},1,left_out`,
      `trade,${at(7)},,,7,sell,101,1,broken`,
      `level,${ENDS},,,,bid,${HUGE},0,left_out`,
    ],
  ],
  [
    'nautilus',
    [
      `level,${at(1)},1,1,,ask,${HUGE},5,left_out`,
      `trade,${at(2)},,,2,buy,101,${FINE},left_out`,
      `level,${at(3)},3,3,,ask,101,${FINE},left_out`,
      `level,${at(3)},3,3,,bid,${HUGE},1,left_out`,
      `level,${at(5)},5,5,,ask,${HUGE},0,left_out`,
      `level,${at(5)},5,5,,bid,99,${FINE},left_out`,
      `trade,${at(6)},,,6,auction,${HUGE},1,left_out`,
      `trade,${at(7)},,,7,sell,101,1,broken`,
      `level,${at(8)},8,8,,bid,99,0,left_out`,
      `level,${ENDS},,,,ask,101,0,left_out`,
      `level,${ENDS},,,,bid,${HUGE},0,left_out`,
    ],
  ],
  ['databento', [`trade,${at(6)},,,6,auction,${HUGE},1,side_unknown`, `trade,${at(7)},,,7,sell,101,1,broken`]],
  ['tardis', [`trade,${at(6)},,,6,auction,${HUGE},1,side_unknown`, `trade,${at(7)},,,7,sell,101,1,broken`]],
] as const) {
  test(`${format}: values it cannot hold stand in the sidecar, exactly, and nowhere else`, async (t) => {
    const directory = scratch(t)
    const [outcome] = await run(sourceOf(EVENTS), partsOf(SYMBOL, 'v1', at(0), at(30)), planOf(format, directory))
    const sidecar = outcome?.manifest.files.find(({ name }) => name.endsWith('.not-held.csv'))
    const [columns, ...lines] =
      sidecar === undefined ? [] : readFileSync(join(directory, sidecar.name), 'utf8').trimEnd().split('\n')
    assert.deepEqual(lines.map(withoutEventTime), rows)
    if (sidecar !== undefined)
      assert.equal(
        columns,
        'kind,received_time_ns,event_time_ns,message_seq,update_id,trade_id,side,price,quantity,treatment',
      )
    const treatments = new Map<string, number>()
    for (const line of rows) {
      const treatment = line.slice(line.lastIndexOf(',') + 1)
      treatments.set(treatment, (treatments.get(treatment) ?? 0) + 1)
    }
    assert.deepEqual(outcome?.manifest.sidecar, Object.fromEntries(treatments))
  })
}

test('tardis: the last book of a part is followed by a delta that says its best level again', async (t) => {
  const directory = scratch(t)
  await run(sourceOf(EVENTS), partsOf(SYMBOL, 'v1', at(0), at(30)), planOf('tardis', directory))
  const lines = gunzipSync(readFileSync(join(directory, 'gemini_incremental_book_L2_2026-02-16_BTCUSD_2.csv.gz')))
  const time = `${(at(20) - 1000n) / 1000n},${at(20) / 1000n}`
  assert.equal(
    lines.toString(),
    [
      'exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount',
      `gemini,BTCUSD,${time},true,ask,100,4`,
      `gemini,BTCUSD,${time},false,ask,100,4`,
      '',
    ].join('\n'),
  )
})

test('ndjson: each event is a line with everything in it', () => {
  const lines = EVENTS.map((event) => JSON.parse(eventLine(event)) as unknown)
  const named = { symbol: SYMBOL, feed: 'v1', line: 'a', epoch_id: '00000000-0000-8000-8000-000000000001' }
  const times = (ms: number) => ({ event_time_ns: `${at(ms) - 1000n}`, received_time_ns: `${at(ms)}` })
  assert.deepEqual(lines.slice(0, 3), [
    {
      kind: 'book',
      ...named,
      message_seq: 1,
      update_id: '1',
      ...times(1),
      bids: [['100', '1']],
      asks: [
        ['101', '2'],
        [HUGE, '5'],
      ],
    },
    {
      kind: 'trade',
      symbol: SYMBOL,
      trade_id: '2',
      ...times(2),
      price: '101',
      quantity: FINE,
      taker_side: 'buy',
      source: 'v1',
      line: 'a',
      broken: false,
    },
    {
      kind: 'book_message',
      ...named,
      message_seq: 3,
      first_update_id: '2',
      update_id: '3',
      ...times(3),
      changes: [
        ['ask', '101', FINE, 'place'],
        ['bid', HUGE, '1', 'place'],
      ],
    },
  ])
  assert.deepEqual(lines[8], {
    kind: 'gap',
    symbol: SYMBOL,
    feed: 'v1',
    from_ns: `${at(9)}`,
    to_ns: `${at(20)}`,
    causes: ['disconnect'],
  })
})

test('a clock that was set back while recording does not put rows out of order, and is told', async (t) => {
  const directory = scratch(t)
  const events = [book(5, { bids: [['1', '1']], asks: [] }), message(3, [['bid', '2', '1']])]
  const [outcome] = await run(sourceOf(events), partsOf(SYMBOL, 'v1', at(0), at(30)), planOf('tardis', directory))
  assert.deepEqual(outcome?.manifest.receive_times_raised, { count: 1, worst_ns: '2000000' })
})

test('standard output gets one text as it is, and only one', async () => {
  const [part] = partsOf(SYMBOL, 'v1', at(0), at(30))
  assert.ok(part !== undefined)
  let text = ''
  const write = async (more: string): Promise<void> => {
    text += more
  }
  const plan = (format: string, ...data: readonly string[]) => ({ ...planOf(format, ''), data })
  await streamPart(sourceOf(EVENTS), part, plan('csv', 'gaps'), write)
  assert.equal(text, `symbol,feed,from_time_ns,to_time_ns,causes\nbtcusd,v1,${at(9)},${at(20)},disconnect\n`)
  for (const [refused, sentence] of [
    [plan('csv', 'gaps', 'trades'), /takes one kind of data: choose with --data gaps or trades, or give a directory/],
    [plan('nautilus', 'trades'), /nautilus trades is no single text/],
    [plan('tardis', 'incremental_book_L2'), /tardis incremental_book_L2 is no single text/],
  ] as const) {
    await assert.rejects(streamPart(sourceOf(EVENTS), part, refused, write), sentence)
  }
})

function at(ms: number): bigint {
  return FROM_NS + BigInt(ms) * 1_000_000n
}

type Levels = readonly (readonly [price: string, quantity: string])[]

/** The venue's times are a microsecond before ours, the update id is the time in milliseconds. */
function book(ms: number, { bids, asks }: Readonly<{ bids: Levels; asks: Levels }>): TapeEvent {
  const levels = (of: Levels) =>
    of.map(([price, quantity]) => ({ price, quantity }) as { price: DecimalText; quantity: DecimalText })
  return { kind: 'book', ...origin(ms), updateId: BigInt(ms), bids: levels(bids), asks: levels(asks) }
}

function message(ms: number, changes: readonly (readonly ['bid' | 'ask', string, string])[]): TapeEvent {
  return {
    kind: 'book_message',
    ...origin(ms),
    firstUpdateId: BigInt(ms - 1),
    lastUpdateId: BigInt(ms),
    changes: changes.map(([side, price, quantity]) => ({ side, price, quantity, reason: 'place' }) as LevelChange),
  }
}

function trade(
  ms: number,
  given: Readonly<{ price: string; quantity: string; takerSide: 'buy' | 'sell' | 'auction'; broken?: boolean }>,
): TapeEvent {
  const { price, quantity, takerSide, broken = false } = given
  return {
    kind: 'trade',
    symbol: SYMBOL,
    tradeId: BigInt(ms),
    eventTimeNs: at(ms) - 1000n,
    receivedTimeNs: at(ms),
    price: price as DecimalText,
    quantity: quantity as DecimalText,
    takerSide,
    source: 'v1',
    broken,
    line: 'a',
  }
}

function origin(ms: number) {
  const feed: Feed = 'v1'
  return {
    symbol: SYMBOL,
    feed,
    line: 'a',
    epochId: `00000000-0000-8000-8000-0000000000${ms < 20 ? '01' : '02'}`,
    messageSeq: ms,
    eventTimeNs: at(ms) - 1000n,
    receivedTimeNs: at(ms),
  }
}

function sourceOf(events: readonly TapeEvent[], options: Readonly<{ failOn?: number; pages?: number }> = {}) {
  const { failOn, pages = 1 } = options
  const source = {
    asked: 0,
    async *pages(_question: TapeQuestion) {
      source.asked++
      if (source.asked === failOn) throw new Error('the database went away')
      const size = Math.ceil(events.length / pages)
      for (let from = 0; from < events.length; from += size) yield events.slice(from, from + size)
    },
  }
  return source satisfies TapeSource
}

function planOf(name: string, directory: string): ExportPlan {
  const format = FORMATS.find((one) => one.name === name) ?? assert.fail(name)
  return {
    format,
    data: Object.keys(format.data),
    options: { shiftNs: 0n },
    directory,
    version: 'test',
    instants: 3,
    onProgress: () => undefined,
    stopping: new AbortController().signal,
  }
}

async function run(source: TapeSource, parts: readonly Part[], plan: ExportPlan) {
  const outcomes = []
  for await (const outcome of exportParts(source, parts, plan)) outcomes.push(outcome)
  return outcomes
}

function withoutEventTime(line: string): string {
  return line.split(',').toSpliced(2, 1).join(',')
}

function filesOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(directory, name)).isFile())
    .sort()
}

function contentOf(directory: string): readonly string[] {
  return filesOf(directory).map(
    (name) =>
      `${name} ${createHash('sha256')
        .update(readFileSync(join(directory, name)))
        .digest('hex')}`,
  )
}

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'booktape-test-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

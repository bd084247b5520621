import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { archiveDays, openArchive, openStorage } from '@booktape/archive'
import type { Tape } from '@booktape/client'
import { exportParts, FORMATS, type PartOutcome, partsOf } from '@booktape/export'
import type { TradeRecord } from '@booktape/market'
import { openDatabase } from '@booktape/store'
import { compareBooks, planOf } from './compare-books.ts'
import { EXCH_EVENT, ExportReaders, fixedText, LOCAL_EVENT, textOf } from './export-readers.ts'
import { type ExportedRecording, exportedRecording, START_NS } from './exported-recording.ts'
import { plainDigits } from './rebuilt-book.ts'

// Each format read back by programs that are not ours, and the book rebuilt from it held against the venue's own.

/** A thousand, and an hour of ten symbols, in the long run: npm run drill -- exports. */
const INSTANTS = 60
const SPAN_MS = 40_000
const SYMBOL = 'btcgusdperp'
const AWAY_MS = 10_000

let recording: ExportedRecording
const tapes: { database?: Tape; archive?: Tape } = {}
before(async () => {
  recording = await exportedRecording({ symbols: [SYMBOL], spanMs: SPAN_MS, awayMs: AWAY_MS, seed: 11 })
  tapes.database = recording.tape
  tapes.archive = await archived(recording)
})
after(async () => {
  await tapes.archive?.close()
  await recording?.close()
})

/** What an export wrote, by source, feed and format. */
const outcomes = new Map<string, PartOutcome>()

for (const [source, feed] of [
  ['database', 'v1'],
  ['database', 'ws'],
  ['archive', 'v1'],
  ['archive', 'ws'],
] as const) {
  describe(`an export of ${feed} from the ${source}`, () => {
    const reading = new Map<string, { readers: ExportReaders; outcome: PartOutcome }>()
    before(async () => {
      for (const format of FORMATS) {
        const directory = join(recording.directory, source, feed, format.name)
        const parts = partsOf(SYMBOL, feed, START_NS, recording.endNs)
        const tape = tapes[source] ?? assert.fail()
        const [outcome] = await all(exportParts(tape, parts, planOf(format.name, directory, INSTANTS)))
        assert.ok(outcome !== undefined && parts.length === 1)
        outcomes.set(`${source} ${feed} ${format.name}`, outcome)
        reading.set(format.name, { outcome, readers: await ExportReaders.open(directory) })
      }
    })
    after(() => {
      for (const { readers } of reading.values()) readers.close()
    })

    const of = (format: string) => {
      const { readers, outcome } = reading.get(format) ?? assert.fail(format)
      const { manifest } = outcome
      const names = manifest.files.map(({ name }) => name)
      const name = (part: string): string => names.find((one) => one.includes(part)) ?? assert.fail(part)
      return { readers, manifest, names, name }
    }

    for (const { name } of FORMATS) {
      test(`${name}: the rebuilt book is the venue's at each instant`, async () => {
        const { readers, outcome } = reading.get(name) ?? assert.fail(name)
        const { known, unknown, different } = await compareBooks(recording, readers, outcome)
        assert.deepEqual(different, [])
        assert.equal(known + unknown, INSTANTS)
        assert.ok(known > INSTANTS / 2 && unknown > 0, `${known} of ${INSTANTS} instants are known`)
        const { sidecar, gaps, epochs } = outcome.manifest
        assert.deepEqual(sidecar, {})
        assert.equal(gaps.filter(({ causes }) => causes.length > 0).length, 3)
        assert.equal(epochs.length, 3)
      })
    }

    test('tardis: columns are those of its loaders, and rows are in the order of their receive time', async () => {
      const { readers, names } = of('tardis')
      assert.equal(names.filter((name) => name.includes('incremental_book_L2')).length, 3, 'a file each whole book')
      for (const name of names) {
        let last = 0n
        for await (const row of readers.csv(name)) {
          const type = Object.keys(TARDIS_COLUMNS).find((one) => name.includes(one)) ?? assert.fail(name)
          assert.equal(Object.keys(row).join(','), TARDIS_COLUMNS[type])
          const local = BigInt(row['local_timestamp'] ?? '')
          assert.ok(local >= last, `${name}: ${local} after ${last}`)
          last = local
        }
      }
    })

    test('tardis: no snapshot ends a file, because loaders drop it', async () => {
      const { readers, names } = of('tardis')
      for (const name of names.filter((one) => one.includes('incremental_book_L2'))) {
        let snapshots = 0
        let was = 'false'
        for await (const row of readers.csv(name)) {
          if (row['is_snapshot'] === 'true' && was === 'false') snapshots++
          was = row['is_snapshot'] ?? ''
        }
        assert.deepEqual({ snapshots, last: was }, { snapshots: 1, last: 'false' })
      }
    })

    test('tardis: quotes and book_snapshot_25 are the top of the venue’s book', async () => {
      const { readers, manifest, name } = of('tardis')
      const instants = manifest.book_digests.map(({ at_ns }) => BigInt(at_ns))
      const quotes = await rowsAt(readers.csv(name('quotes')), instants)
      const snapshots = await rowsAt(readers.csv(name('book_snapshot_25')), instants)
      for (const [i, atNs] of instants.entries()) {
        const updateId = recording.updateIdAt(SYMBOL, feed, atNs)
        const { bids, asks } = updateId === null ? { bids: [], asks: [] } : recording.bookAfter(SYMBOL, updateId)
        const quote = quotes[i] ?? {}
        assert.deepEqual(
          [quote['ask_amount'] ?? '', quote['ask_price'] ?? '', quote['bid_price'] ?? '', quote['bid_amount'] ?? ''],
          [asks[0]?.[1] ?? '', asks[0]?.[0] ?? '', bids[0]?.[0] ?? '', bids[0]?.[1] ?? ''],
        )
        for (const [side, levels] of [
          ['bids', bids],
          ['asks', asks],
        ] as const) {
          for (let at = 0; at < 25; at++) {
            const cell = (what: string) => snapshots[i]?.[`${side}[${at}].${what}`] ?? ''
            assert.deepEqual([cell('price'), cell('amount')], [levels[at]?.[0] ?? '', levels[at]?.[1] ?? ''])
          }
        }
      }
    })

    test('each trade is there once, in every format', async () => {
      const expected = tradeLines(recording)
      assert.ok(expected.length > 10)
      const tardis = await collect(of('tardis').readers.csv(of('tardis').name('_trades_')), (row) =>
        rowOf(row['id'], row['price'], row['amount'], row['side']),
      )
      assert.deepEqual(tardis, expected)
      const plain = await collect(of('csv').readers.csv(of('csv').name('_trades_')), (row) =>
        rowOf(row['trade_id'], row['price'], row['quantity'], row['taker_side']),
      )
      assert.deepEqual(plain, expected)
      const sides = ['unknown', 'buy', 'sell']
      const nautilus = await collect(of('nautilus').readers.parquet(of('nautilus').name('/trades/')), (row) =>
        rowOf(
          textOf(row['trade_id']),
          fixedText(row['price']),
          fixedText(row['size']),
          sides[Number(row['aggressor_side'])],
        ),
      )
      assert.deepEqual(nautilus, expected)
      const databento = await collect(of('databento').readers.csv(of('databento').name('mbp-10')), (row) =>
        row['action'] === 'T'
          ? [row['sequence'], row['price'], row['size'], { A: 'sell', B: 'buy', N: 'unknown' }[row['side'] ?? '']]
          : null,
      )
      assert.deepEqual(databento, expected)
      const npz = of('hftbacktest').readers.npz(of('hftbacktest').name('.npz'))
      const local = npz.filter(({ ev }) => (ev & 0xffn) === 2n && (ev & LOCAL_EVENT) !== 0n)
      const withoutIds = local.map(({ ev, px, qty }) =>
        [plainDigits(px), plainDigits(qty), (ev & (1n << 29n)) !== 0n ? 'buy' : 'sell'].join(' '),
      )
      assert.deepEqual(withoutIds.sort(), expected.map((line) => line.slice(line.indexOf(' ') + 1)).sort())
    })

    test('hftbacktest: both orders hold, receiving is later than happening, and both sides get every event', async () => {
      const rows = of('hftbacktest').readers.npz(of('hftbacktest').name('.npz'))
      const at = (flag: bigint) => rows.filter(({ ev }) => (ev & flag) !== 0n)
      const [exchange, local] = [at(EXCH_EVENT), at(LOCAL_EVENT)]
      assert.equal(exchange.length, local.length)
      assert.ok(exchange.every(({ exchNs }, i) => i === 0 || exchNs >= (exchange[i - 1]?.exchNs ?? 0n)))
      assert.ok(local.every(({ localNs }, i) => i === 0 || localNs >= (local[i - 1]?.localNs ?? 0n)))
      assert.ok(rows.every(({ exchNs, localNs }) => localNs > exchNs))
    })

    test('nautilus: schemas, precision and file names are those of its catalog', async () => {
      const { readers, name, manifest } = of('nautilus')
      const deltas = name('order_book_deltas')
      assert.deepEqual(await readers.parquetColumns(deltas), [
        ...['action INT32 UINT_8', 'side INT32 UINT_8'].map(required),
        ...['price', 'size'].map((column) => `${column} FIXED_LEN_BYTE_ARRAY 16 REQUIRED`),
        ...['order_id INT64 UINT_64', 'flags INT32 UINT_8', 'sequence INT64 UINT_64'].map(required),
        ...['ts_event INT64 UINT_64', 'ts_init INT64 UINT_64'].map(required),
      ])
      const { price_digits, quantity_digits } = manifest.precision
      assert.deepEqual(await readers.parquetMetadata(deltas), {
        instrument_id: 'BTCGUSDPERP.GEMINI',
        price_precision: `${price_digits}`,
        size_precision: `${quantity_digits}`,
      })
      const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d-\\d\\d-\\d\\d-\\d{9}Z'
      assert.match(deltas, new RegExp(`^data/order_book_deltas/BTCGUSDPERP\\.GEMINI/${time}_${time}\\.parquet$`))
      let last = 0
      let clears = 0
      for await (const row of readers.parquet(deltas)) {
        last = Number(row['flags'])
        if (row['action'] === 4) clears++
      }
      assert.equal(last & 128, 128, 'the last group is closed')
      assert.equal(clears, 3 + manifest.gaps.length)
    })
  })
}

for (const { name } of FORMATS) {
  test(`${name}: the archive gives the same files as the database, byte for byte`, () => {
    for (const feed of ['v1', 'ws'] as const) {
      const [expected, found] = (['database', 'archive'] as const).map((source) =>
        outcomes.get(`${source} ${feed} ${name}`),
      )
      assert.ok(expected !== undefined && expected.manifest.files.length > 0)
      assert.deepEqual(found?.manifest, expected.manifest) // with the SHA-256 of each file
    }
  })
}

/** The recording once more, as an archive. */
async function archived({ databaseUrl, directory, tape }: ExportedRecording): Promise<Tape> {
  const storage = await openStorage(join(directory, 'tape'))
  const database = openDatabase(databaseUrl, { applicationName: 'booktape test', max: 2 })
  try {
    const only = { fromDay: null, toDay: null }
    const stopping = new AbortController().signal
    const { days } = await archiveDays({ database, tape, storage, software: 'booktape test', only, stopping })
    assert.deepEqual(days, ['2026-03-01'])
  } finally {
    await database.close()
  }
  return openArchive(storage)
}

const rowOf = (...of: readonly (string | undefined)[]) => of
const required = (column: string): string => `${column} REQUIRED`

const LEVELS_25 = Array.from({ length: 25 }, (_, i) =>
  [`asks[${i}].price`, `asks[${i}].amount`, `bids[${i}].price`, `bids[${i}].amount`].join(','),
).join(',')
const TARDIS_COLUMNS: Readonly<Record<string, string>> = {
  incremental_book_L2: 'exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount',
  _trades_: 'exchange,symbol,timestamp,local_timestamp,id,side,price,amount',
  quotes: 'exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount',
  book_snapshot_25: `exchange,symbol,timestamp,local_timestamp,${LEVELS_25}`,
}

/** `id price quantity side` of each trade that was seen, in the order of ids. */
function tradeLines({ records }: ExportedRecording): readonly string[] {
  const trades = records.filter((record): record is TradeRecord => record.kind === 'trade')
  const lines = trades.map(({ tradeId, price, quantity, takerSide }) => `${tradeId} ${price} ${quantity} ${takerSide}`)
  return [...new Set(lines)].sort()
}

async function collect<Row>(
  rows: AsyncIterable<Row>,
  cellsOf: (row: Row) => readonly (string | undefined)[] | null,
): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const row of rows) {
    const cells = cellsOf(row)
    if (cells !== null) lines.push(cells.join(' '))
  }
  return lines.sort()
}

/** The row that holds at each instant: the last one received before it. */
async function rowsAt(
  rows: AsyncIterable<Readonly<Record<string, string>>>,
  instants: readonly bigint[],
): Promise<readonly Readonly<Record<string, string>>[]> {
  const held: Readonly<Record<string, string>>[] = []
  let current: Readonly<Record<string, string>> = {}
  for await (const row of rows) {
    const atNs = BigInt(row['local_timestamp'] ?? '') * 1000n
    for (let at = instants[held.length]; at !== undefined && at <= atNs; at = instants[held.length]) held.push(current)
    current = row
  }
  while (held.length < instants.length) held.push(current)
  return held
}

async function all<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

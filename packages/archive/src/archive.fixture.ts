import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TapeBook, TapeEvent, TapeGap, TapeMessage } from '@booktape/client'
import { type DecimalText, deriveId, type Feed, type LevelChange } from '@booktape/market'
import type { ArchivedDay, QuoteOfDay, StoredDay, TradeOfDay } from '@booktape/store'
import { manifestPath, spanOf, tablePath, type Unit } from './layout.ts'
import { localStorage } from './local-storage.ts'
import { type ArchivedFile, type Manifest, manifestText, readManifest, sha256 } from './manifest.ts'
import { StagedFiles } from './staged-files.ts'
import { readTable } from './table-reader.ts'
import { TableFile } from './table-writer.ts'
import type { Row, TableName } from './tables.ts'
import { writeBooks } from './write-books.ts'
import { writeDay, writeTrades } from './write-rows.ts'

export const DAYS = ['2026-03-01', '2026-03-02'] as const
export const SYMBOLS = ['btcusd', 'ethusd'] as const
const FEEDS = { btcusd: ['v1', 'ws'], ethusd: ['ws'] } as const
const SOFTWARE = 'booktape test'
const MINUTE_NS = 60_000_000_000n

/** Two days of two symbols, one of them over both feeds, small, in a folder of its own: each day a gap, two epochs, quotes, trades. */
export async function smallArchive(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'booktape-archive-test-'))
  for (const date of DAYS) await publishDay(folder, date)
  return folder
}

/** Does some work on a copy. */
export async function onCopy<T>(folder: string, work: (copy: string) => Promise<T>): Promise<T> {
  const copy = await mkdtemp(join(tmpdir(), 'booktape-archive-test-'))
  try {
    await cp(folder, copy, { recursive: true })
    return await work(copy)
  } finally {
    await rm(copy, { recursive: true })
  }
}

/** As the database would have noted the days when they were published. */
export async function notesOf(folder: string): Promise<readonly ArchivedDay[]> {
  return await Promise.all(
    DAYS.map(async (day) => {
      const text = await readFile(join(folder, manifestPath({ kind: 'day', date: day })), 'utf8')
      return { day, place: folder, manifest: sha256(text), verifiedAt: '2026-03-03T00:20:00.000000Z' }
    }),
  )
}

/** Publishes a day as `archiveDays` does. `more`: what makes its manifests other ones. */
export async function publishDay(folder: string, date: string, more = ''): Promise<void> {
  const units: { path: string; sha256: string }[] = []
  const publish = async (unit: Unit, write: (files: StagedFiles) => Promise<Manifest>): Promise<void> => {
    const storage = localStorage(folder)
    const stage = await storage.stage()
    const files = new StagedFiles(stage, unit, SOFTWARE)
    const manifest = await write(files)
    for (const { table, path } of manifest.files) await storage.publish(files.path(table), path)
    const text = manifestText(manifest)
    await writeFile(join(stage, 'manifest.json'), text)
    await storage.publish(join(stage, 'manifest.json'), manifestPath(unit))
    await rm(stage, { recursive: true })
    if (unit.kind !== 'day') units.push({ path: manifestPath(unit), sha256: sha256(text) })
  }
  for (const symbol of SYMBOLS) {
    for (const feed of FEEDS[symbol]) {
      const unit = { kind: 'books', date, symbol, feed } as const
      const source = {
        pages: pages(eventsOn(unit)),
        quotes: pages(quotesOn(unit)),
        known: more,
        storedDigests: new Map(),
      }
      await publish(unit, (files) => writeBooks(unit, source, files, SOFTWARE))
    }
    const unit = { kind: 'trades', date, symbol } as const
    const source = { count: '4', broken: '0', lastReceivedNs: more }
    await publish(unit, (files) => writeTrades(unit, pages(tradesOn(unit)), source, files, SOFTWARE))
  }
  const unit = { kind: 'day', date } as const
  await publish(unit, (files) => writeDay(unit, knownOf(date), units, files, SOFTWARE))
}

async function* pages<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  yield await Promise.resolve(items)
}

const decimal = (text: string): DecimalText => text as DecimalText
const change = (side: 'bid' | 'ask', price: string, quantity: string): LevelChange => ({
  side,
  price: decimal(price),
  quantity: decimal(quantity),
  reason: null,
})

type Books = Extract<Unit, { kind: 'books' }>

/** A gap from 0:10 to 0:15, an epoch before and one after it that ends with the day. */
function eventsOn({ date, symbol, feed }: Books): readonly TapeEvent[] {
  const { fromNs, toNs } = spanOf(date)
  const at = (minute: number): bigint => fromNs + BigInt(minute) * MINUTE_NS + 123_456_789n
  const of = (name: string) => ({ symbol, feed, line: 'a', epochId: deriveId('epoch', symbol, feed, date, name) })
  const book = (name: string, minute: number): TapeBook => ({
    kind: 'book',
    ...of(name),
    messageSeq: minute + 1,
    updateId: BigInt(1_000 + minute),
    eventTimeNs: at(minute) - 20_000_000n,
    receivedTimeNs: at(minute),
    bids: [{ price: decimal('100'), quantity: decimal('1.5') }],
    asks: [{ price: decimal('101'), quantity: decimal('0.000000000000000001') }],
  })
  const message = (name: string, minute: number): TapeMessage => ({
    kind: 'book_message',
    ...of(name),
    messageSeq: minute + 1,
    firstUpdateId: BigInt(feed === 'ws' ? 999 + minute : 1_000 + minute),
    lastUpdateId: BigInt(1_000 + minute),
    eventTimeNs: at(minute) - 20_000_000n,
    receivedTimeNs: at(minute),
    changes: [change('bid', `9${minute % 7}.5`, `${minute}`), change('ask', `10${2 + (minute % 5)}`, `0.${minute}1`)],
  })
  const gap = (from: bigint, to: bigint): TapeGap => ({
    kind: 'gap',
    symbol,
    feed,
    fromNs: from,
    toNs: to,
    causes: ['disconnect'],
  })
  const minutes = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, i) => from + i)
  const cut = (timeNs: bigint): bigint => timeNs - (timeNs % 1_000n)
  return [
    gap(fromNs, at(0)),
    book('first', 0),
    ...minutes(1, 11).map((minute) => message('first', minute)),
    gap(cut(at(10)), at(15)),
    book('second', 15),
    ...minutes(16, 40).map((minute) => message('second', minute)),
    gap(cut(at(40)), toNs),
  ]
}

/** In the order of a file: by microsecond, and within one by session. Line b saw the second one too; of the last two the first came last. */
function quotesOn({ date, symbol, feed }: Books): readonly QuoteOfDay[] {
  const { fromNs } = spanOf(date)
  const quote = (minute: number, line: string, ns: bigint): QuoteOfDay => {
    const receivedTimeNs = fromNs + BigInt(minute) * MINUTE_NS + 123_456_000n + ns
    const name = minute < 15 ? 'first' : 'second'
    return {
      kind: 'quote',
      line,
      epochId: deriveId('epoch', symbol, feed, date, name),
      sessionId: deriveId('session', symbol, feed, date, `${name} ${ns}`),
      symbol,
      feed,
      messageSeq: minute + 1,
      updateId: BigInt(1_000 + minute) + ns * 10_000n,
      eventTimeNs: receivedTimeNs - 20_000_000n,
      receivedTimeNs,
      top: { bidPrice: decimal('100'), bidQuantity: decimal(`${minute}`), askPrice: null, askQuantity: null },
    }
  }
  return [
    quote(1, 'a', 7n),
    quote(2, 'b', 6n),
    quote(2, 'a', 7n),
    quote(12, 'a', 7n),
    quote(16, 'a', 7n),
    quote(17, 'a', 8n),
    quote(17, 'a', 7n),
  ]
}

function tradesOn({ date, symbol }: Extract<Unit, { kind: 'trades' }>): readonly TradeOfDay[] {
  const { fromNs } = spanOf(date)
  return [1, 2, 3, 4].map((id) => ({
    kind: 'trade',
    symbol,
    tradeId: BigInt(id),
    eventTimeNs: fromNs + BigInt(id) * MINUTE_NS,
    receivedTimeNs: fromNs + BigInt(id) * MINUTE_NS + 20_000_000n,
    price: decimal(`${symbol === 'btcusd' ? 100 : 10}.${id}`),
    quantity: decimal('0.5'),
    takerSide: 'buy',
    source: 'ws',
    broken: false,
    line: 'a',
  }))
}

function knownOf(date: string): StoredDay {
  const { fromNs, toNs } = spanOf(date)
  const books = SYMBOLS.flatMap((symbol) => FEEDS[symbol].map((feed) => ({ symbol, feed })))
  const epoch = (
    { symbol, feed }: Readonly<{ symbol: string; feed: Feed }>,
    name: string,
    from: number,
    to: number,
  ) => ({
    symbol,
    feed,
    line: 'a',
    epochId: deriveId('epoch', symbol, feed, date, name),
    sessionId: deriveId('session', symbol, feed, date, name),
    startedNs: fromNs + BigInt(from) * MINUTE_NS,
    endedNs: fromNs + BigInt(to) * MINUTE_NS,
    firstUpdateId: BigInt(1_000 + from),
    lastUpdateId: BigInt(1_000 + to),
    endReason: 'disconnect',
  })
  return {
    epochs: books.flatMap((book) => [epoch(book, 'first', 0, 10), epoch(book, 'second', 15, 40)]),
    gaps: books.flatMap(({ symbol, feed }) =>
      [
        [fromNs + 10n * MINUTE_NS, fromNs + 15n * MINUTE_NS],
        [fromNs + 40n * MINUTE_NS, toNs],
      ].map(([startedNs = 0n, endedNs = 0n]) => ({
        symbol,
        feed,
        line: 'a',
        gapId: deriveId('gap', symbol, feed, String(startedNs)),
        stream: 'book',
        fromId: null,
        toId: null,
        startedNs,
        endedNs,
        cause: 'disconnect',
        state: 'closed',
      })),
    ),
    instruments: SYMBOLS.map((symbol) => ({
      symbol,
      baseCurrency: symbol.slice(0, 3),
      quoteCurrency: 'usd',
      priceIncrement: decimal('0.01'),
      quantityIncrement: decimal('0.00000001'),
      minOrderSize: decimal('0.00001'),
      status: 'open',
      productType: 'spot',
      contractType: 'vanilla',
      validFromNs: fromNs,
      validToNs: null,
    })),
  }
}

/** How far whoever altered something went on: its manifest, the manifest of the day, which says what the other is. */
export type Reach = 'file' | 'manifest' | 'day'

/** Writes a file anew with other rows; what its manifest says of it is true again from reach `manifest` on. */
export async function rewriteRows(
  folder: string,
  unit: Unit,
  table: TableName,
  alter: (rows: readonly Row[]) => readonly Row[],
  reach: Reach,
): Promise<void> {
  const path = tablePath(table, unit)
  const opened = (await localStorage(folder).open(path)) ?? assert.fail()
  const rows: Row[] = []
  for await (const page of readTable(opened, table, path)) rows.push(...page)
  await opened.close()
  const file = new TableFile({
    file: join(folder, path),
    table,
    software: SOFTWARE,
    feed: unit.kind === 'books' ? unit.feed : null,
  })
  const altered = alter(rows)
  for (const row of altered) file.add(row)
  const content = file.finish()
  if (reach === 'file') return
  const bytes = await readFile(join(folder, path))
  const now = {
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    rows: altered.length,
    content,
  }
  const mend = (files: readonly ArchivedFile[]) => files.map((one) => (one.table === table ? { ...one, ...now } : one))
  await rewriteManifest(folder, unit, (manifest) => ({ ...manifest, files: mend(manifest.files) }), reach)
}

/** Writes a manifest anew as somebody would who knows how manifests are made. */
export async function rewriteManifest(
  folder: string,
  unit: Unit,
  alter: (manifest: Manifest) => object,
  reach: Exclude<Reach, 'file'>,
): Promise<void> {
  const path = join(folder, manifestPath(unit))
  const text = manifestText(alter(readManifest(await readFile(path, 'utf8'), unit)) as Manifest)
  await writeFile(path, text)
  if (reach === 'manifest' || unit.kind === 'day') return
  await rewriteManifest(
    folder,
    { kind: 'day', date: unit.date },
    (day) => {
      assert.ok(day.kind === 'day')
      const named = day.units.map((one) => (one.path === manifestPath(unit) ? { ...one, sha256: sha256(text) } : one))
      return { ...day, units: named }
    },
    'manifest',
  )
}

import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline as streamPipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { applyChange, bookDigest, bookFromLevels, emptyBook, type OrderBook } from '@booktape/book'
import { openTape, type Tape, type TapeBook, type TapeEvent } from '@booktape/client'
import { Journal } from '@booktape/journal'
import { type DecimalText, invariant, readDecimal, type Side } from '@booktape/market'
import { advance, newCorridorState } from '@booktape/session'
import { openDatabase, settle } from '@booktape/store'
import type { Client } from 'pg'
import { copyOut } from '../copy.ts'
import { type Area, atLeast, figureOf, milliseconds, OURS, roundRobin } from '../measure.ts'
import { tardis } from '../peer-books.ts'
import { CHANGE_TABLE, changeRows, storePlainChanges, timeText } from '../plain-changes.ts'
import type { BenchDatabase, BenchServer } from '../server.ts'
import { SessionDriver, START_NS } from '../session-driver.ts'
import { openStore, type Recorded, recordsOf } from '../stored-work.ts'
import { digestOf, frameText, makeWorkload, snapshotText, type Workload } from '../workload.ts'

const FRAME_NS = 10_000_000n

/** From what is stored to the book again, every change in its order. */
export const replay: Area = {
  name: 'replay',
  run: async ({ isSmoke, rounds, seed, server, directory }) => {
    const work = makeWorkload({ levelsPerSide: isSmoke ? 50 : 3_000, frames: isSmoke ? 50 : 40_000, seed })
    const database = await (await server()).freshDatabase()
    const store = await openStore(database)
    const recorded = [...recordsOf(work, FRAME_NS)]
    const endNs = recorded.at(-1)?.atNs ?? START_NS
    await store.write(recorded)
    await store.close()
    const rowTape = openTape(database.url)
    const settled = await settledCopy(await server(), recorded)
    const tape = openTape(settled.url)
    await database.client.query(CHANGE_TABLE)
    const rows = changeRows(
      work,
      recorded.slice(1).map(({ atNs }) => atNs),
    )
    await storePlainChanges(database.client, rows)
    const journal = await writeJournal(join(directory, 'replay-journal'), work)
    const file = join(directory, 'frames.ndjson.gz')
    await writeFrames(file, work)
    const right = new Map<string, boolean>()
    const ways = [
      {
        name: OURS,
        note: 'the client library, from settled chunks, and the exact book',
        replayed: () => fromTape(tape, endNs),
      },
      {
        name: 'booktape, not looked at',
        note: 'the client library, from settled chunks: every change an object',
        replayed: () => onlyTape(tape, endNs),
      },
      {
        name: 'booktape, fresh rows',
        note: 'the client library, from messages of the last hour, and the exact book',
        replayed: () => fromTape(rowTape, endNs),
      },
      {
        name: 'booktape, SQL',
        note: 'market.changes_between and the exact book, from fresh rows',
        replayed: () => fromDatabase(database.client, endNs),
      },
      {
        name: 'booktape, journal',
        note: 'checksums, decode, session and exact book',
        replayed: () => fromJournal(journal, work),
      },
      { name: 'tardis-dev', note: 'gzipped lines, JSON.parse, floats', replayed: () => fromFile(file) },
      {
        name: 'booktape, SQL alone',
        note: 'market.changes_between, not looked at',
        replayed: () => onlyCopy(database.client, changesSql('epoch_id, side, price, quantity', endNs)),
      },
      {
        name: 'COPY',
        note: 'the floor: a row a change out of a plain table, not looked at',
        replayed: () => onlyCopy(database.client, 'copy public.changes to stdout'),
      },
    ]
    try {
      const samples = await roundRobin(ways, rounds, async ({ name, replayed }) => {
        let digest: string | null = null
        const took = await milliseconds(async () => {
          digest = await replayed()
        })
        if (digest !== null) right.set(name, right.get(name) !== false && digest === work.digest)
        return work.changes / (took / 1e3)
      })
      const metric = {
        name: 'replay',
        unit: 'changes a second',
        better: 'more',
        measured: [...samples].map(([{ name, note }, figures]) => ({
          contestant: name,
          samples: figures,
          correct: right.get(name) ?? null,
          note,
        })),
      } as const
      return {
        area: 'replay',
        workload: `${work.changes} changes in ${work.frames.length} messages, a book of ${work.opening.bids.length} levels a side`,
        metrics: [metric],
        goals: [atLeast('replay', figureOf(metric, OURS), 2_000_000, 'changes a second')],
      }
    } finally {
      await journal.close()
      await tape.close()
      await rowTape.close()
      await settled.close()
      await database.close()
    }
  },
}

/** A database of its own, in which everything has settled. */
async function settledCopy(server: BenchServer, recorded: readonly Recorded[]): Promise<BenchDatabase> {
  const target = await server.freshDatabase()
  const store = await openStore(target)
  await store.write(recorded)
  await store.close()
  const database = openDatabase(target.url, { applicationName: 'booktape bench', max: 1 })
  await settle(database, '2100-01-01', new AbortController().signal, { before: '2100-01-01' })
  await database.close()
  await target.client.query('vacuum analyze')
  return target
}

function pagesOf(tape: Tape, endNs: bigint): AsyncGenerator<readonly TapeEvent[]> {
  return tape.pages({ symbols: ['btcusd'], from: START_NS, to: endNs + 1_000_000n, feed: 'ws' })
}

async function fromTape(tape: Tape, endNs: bigint): Promise<string> {
  let book = emptyBook()
  for await (const page of pagesOf(tape, endNs)) {
    for (const event of page) {
      if (event.kind === 'book') book = bookOf(event)
      else if (event.kind === 'book_message')
        for (const { side, price, quantity } of event.changes) applyChange(book, side, price, quantity)
    }
  }
  return bookDigest(book)
}

function bookOf({ bids, asks }: TapeBook): OrderBook {
  const ofSide = (side: Side, levels: TapeBook['bids']) => levels.map((level) => ({ side, reason: null, ...level }))
  return bookFromLevels([...ofSide('bid', bids), ...ofSide('ask', asks)])
}

async function onlyTape(tape: Tape, endNs: bigint): Promise<null> {
  for await (const page of pagesOf(tape, endNs)) void page
  return null
}

const changesSql = (columns: string, endNs: bigint): string =>
  `copy (select ${columns} from market.changes_between('btcusd', '${timeText(START_NS)}',
    '${timeText(endNs + 1_000_000n)}', 'ws')) to stdout`

async function fromDatabase(client: Client, endNs: bigint): Promise<string> {
  let book = emptyBook()
  let epoch = ''
  for await (const lines of copyOut(
    client,
    changesSql('epoch_id, side, trim_scale(price), trim_scale(quantity)', endNs),
  )) {
    for (const line of lines) {
      const [epochId = '', side = '', price = '', quantity = ''] = line.split('\t')
      if (epochId !== epoch) book = emptyBook()
      epoch = epochId
      applyChange(book, side as Side, exact(price), exact(quantity))
    }
  }
  return bookDigest(book)
}

function exact(text: string): DecimalText {
  const value = readDecimal(text)
  invariant(value !== null, 'numeric is written in plain digits')
  return value
}

async function onlyCopy(client: Client, sql: string): Promise<null> {
  for await (const lines of copyOut(client, sql)) void lines
  return null
}

const TEXT_FRAME_KIND = 8

async function writeJournal(directory: string, work: Workload): Promise<Journal> {
  const journal = await Journal.open(directory, {
    retentionMs: 3_600_000,
    limitBytes: 2 ** 32,
    onFailure: (error) => {
      throw error
    },
  })
  const payloads = [snapshotText(work), ...work.frames.map((frame) => frameText(work.symbol, frame))]
  for (const [i, text] of payloads.entries()) {
    const atNs = START_NS + BigInt(i) * FRAME_NS
    const payload = Buffer.from(text)
    journal.append({ kind: TEXT_FRAME_KIND, wallNs: atNs, monoNs: atNs, connection: 1, messageSeq: i + 1, payload })
    if (i % 1_000 === 0) await journal.sync()
  }
  await journal.sync()
  return journal
}

async function fromJournal(journal: Journal, work: Workload): Promise<string> {
  const driver = new SessionDriver(newCorridorState(), advance, [work.symbol])
  for await (const entries of journal.read(1)) for (const { payload } of entries) driver.frame(payload)
  return digestOf(driver.levels(work.symbol))
}

async function writeFrames(file: string, work: Workload): Promise<void> {
  const lines = [snapshotText(work), ...work.frames.map((frame) => frameText(work.symbol, frame))].map(
    (text) => `${text}\n`,
  )
  await streamPipeline(Readable.from(lines), createGzip(), createWriteStream(file))
}

/** As tardis-dev reads its cache: lines of a gzipped file, JSON, its book. */
async function fromFile(file: string): Promise<string> {
  let book: ReturnType<typeof tardis.open> | null = null
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(file).pipe(createGunzip()) as AsyncIterable<Buffer>) {
    const bytes: Buffer = Buffer.concat([rest, chunk])
    let start = 0
    for (let end = bytes.indexOf(10, start); end !== -1; end = bytes.indexOf(10, start)) {
      const line = bytes.subarray(start, end)
      if (book === null) book = tardis.open(line)
      else book.take(line)
      start = end + 1
    }
    rest = bytes.subarray(start)
  }
  invariant(book !== null, 'the file begins with a snapshot')
  return digestOf(book.levels())
}

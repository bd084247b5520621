import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { at, type Level, type TestChange, type TestRecording, testRecording } from './recording.fixture.ts'

// Random recordings against the plainest model there is: maps filled message by message.

const SEEDS = [1, 2, 3, 4, 5, 6]
const SECONDS = 40
const INSTANTS = 60

type Moment = Readonly<{ time: number; book: Book }> // milliseconds since 10:00:00; the book from then on
type ModelEpoch = Readonly<{ feed: string; line: string; start: number; end: number; moments: readonly Moment[] }>
type Book = ReadonlyMap<string, string> // `bid 101` to quantity

for (const seed of SEEDS) {
  describe(`a random recording of seed ${seed}`, () => {
    const random = randomOf(seed)
    let recording: TestRecording
    let epochs: readonly ModelEpoch[]

    before(async () => {
      recording = await testRecording()
      epochs = await record(recording, random)
    })
    after(() => recording.close())

    test('book_at is the model at every instant, and refused where the model has none', async () => {
      const edges = epochs.flatMap(({ start, end, moments }) => [start, end, ...moments.map(({ time }) => time)])
      for (let i = 0; i < INSTANTS; i++) {
        const time = i % 2 === 0 ? pick(edges, random) : random(SECONDS * 1000)
        const feed = pick(['v1', 'ws', null], random)
        const depth = pick([null, 1, 3], random)
        const expected = modelAt(epochs, time, feed)
        const sql = 'select side, price, quantity from market.book_at($1, $2, $3, $4)'
        const values = ['btcusd', at(clock(time)), depth, feed]
        if (expected === null) {
          assert.equal((await recording.failure(sql, ...values)).code, 'BT001', `at ${clock(time)} on ${feed}`)
        } else {
          assert.deepEqual(
            await recording.rows(sql, ...values),
            sorted(expected, depth),
            `at ${clock(time)} on ${feed}`,
          )
        }
      }
    })

    test('applying changes_between gives the book at the end of the span, on the feed it begins with', async () => {
      for (let i = 0; i < INSTANTS / 4; i++) {
        const from = random(SECONDS * 1000)
        const to = from + 1 + random(SECONDS * 1000 - from)
        const feed = pick(['v1', 'ws'], random)
        const rows = await recording.rows(
          `select concat(line, ' ', epoch_id), concat(side, ' ', price), quantity from market.changes_between($1, $2, $3, $4)`,
          'btcusd',
          at(clock(from)),
          at(clock(to)),
          feed,
        )
        let epoch: string | null = null
        const book = new Map<string, string>()
        for (const [inEpoch = null, level, quantity] of rows) {
          if (epoch !== inEpoch) book.clear()
          epoch = inEpoch
          book.set(String(level), String(quantity))
        }
        const candidates = lastKnown(epochs, from, to - 1, feed)
        if (candidates.length === 0) assert.deepEqual(rows, [])
        else {
          const found = JSON.stringify(sorted(book, null))
          assert(
            candidates.some((candidate) => JSON.stringify(sorted(candidate, null)) === found),
            `from ${clock(from)} to ${clock(to)} on ${feed}: ${found}`,
          )
        }
      }
    })
  })
}

async function record(recording: TestRecording, random: Random): Promise<readonly ModelEpoch[]> {
  const epochs: ModelEpoch[] = []
  for (const line of ['a', 'b']) {
    const journal = await recording.journal(line, line, '11:00:00')
    for (const feed of ['v1', 'ws']) {
      for (let start = random(5000); start < SECONDS * 1000; start += 1 + random(4000)) {
        const end = Math.min(start + 1 + random(12_000), SECONDS * 1000)
        epochs.push(await recordEpoch(recording, random, { feed, line, start, end }, journal))
        start = end
      }
    }
  }
  return epochs
}

async function recordEpoch(
  recording: TestRecording,
  random: Random,
  of: Readonly<{ feed: string; line: string; start: number; end: number }>,
  journal: string,
): Promise<ModelEpoch> {
  const { feed, line, start, end } = of
  const epoch = await recording.epoch(`${feed} ${line} ${start}`, {
    feed,
    line,
    journal,
    from: clock(start),
    to: clock(end),
  })
  const book = new Map<string, string>()
  for (let i = random(8); i > 0; i--) book.set(level(random), quantityOf(random))
  const levels = (side: string): Level[] =>
    sorted(book, null).flatMap(([of_, price = '', quantity = '']) => (of_ === side ? [[price, quantity]] : []))
  let seq = 1 + random(3)
  await recording.snapshot(epoch, clock(start), seq, { bids: levels('bid'), asks: levels('ask') })
  const moments: Moment[] = [{ time: start, book: new Map(book) }]
  for (let time = start + random(900); time <= end; time += random(900)) {
    seq += 1 + random(2)
    if (random(8) === 0) {
      await recording.snapshot(
        epoch,
        clock(time),
        seq - 1,
        { bids: levels('bid'), asks: levels('ask') },
        { reason: 'interval' },
      )
    }
    const changes: TestChange[] = []
    for (let i = random(5); i > 0; i--) {
      const name = level(random)
      const quantity = random(3) === 0 ? '0' : quantityOf(random)
      const [side, price = ''] = name.split(' ')
      changes.push([side === 'bid' ? 'p' : 'P', price, quantity])
      if (quantity === '0') book.delete(name)
      else book.set(name, quantity)
    }
    await recording.message(epoch, clock(time), seq, changes)
    moments.push({ time, book: new Map(book) })
  }
  return { ...of, moments }
}

/** v1 before ws, then by line; of two epochs of a line that touch, the later. */
function modelAt(epochs: readonly ModelEpoch[], time: number, feed: string | null): Book | null {
  for (const one of feed === null ? ['v1', 'ws'] : [feed]) {
    for (const line of ['a', 'b']) {
      const epoch = epochs.findLast((e) => e.feed === one && e.line === line && e.start <= time && time <= e.end)
      if (epoch !== undefined) return bookOf(epoch, time)
    }
  }
  return null
}

/** What a stream up to `time` may end with: the book of a line that knows it, else of one that knew it last. */
function lastKnown(epochs: readonly ModelEpoch[], from: number, time: number, feed: string): readonly Book[] {
  const mine = epochs.filter((e) => e.feed === feed && e.start <= time && e.end >= from)
  const last = Math.max(...mine.map((e) => Math.min(e.end, time)))
  return mine.filter((e) => Math.min(e.end, time) === last).map((e) => bookOf(e, last))
}

function bookOf(epoch: ModelEpoch, time: number): Book {
  return epoch.moments.findLast((moment) => moment.time <= time)?.book ?? new Map()
}

function sorted(book: Book, depth: number | null): string[][] {
  const rows = [...book]
    .filter(([, quantity]) => quantity !== '0')
    .map(([name, quantity]) => [...name.split(' '), quantity])
  const side = (name: string, direction: number) =>
    rows
      .filter(([of]) => of === name)
      .sort(([, a], [, b]) => direction * (Number(a) - Number(b))) // two digits each
      .slice(0, depth ?? undefined)
  return [...side('bid', -1), ...side('ask', 1)]
}

type Random = (below: number) => number

/** The same numbers for the same seed (Park and Miller's minimal standard). */
function randomOf(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

function pick<T>(from: readonly T[], random: Random): T {
  const chosen = from[random(from.length)]
  assert(chosen !== undefined)
  return chosen
}

const level = (random: Random) => `${random(2) === 0 ? 'bid' : 'ask'} ${10 + random(12)}`
const quantityOf = (random: Random) => `${1 + random(9)}.${1 + random(9)}`
const clock = (ms: number) =>
  `10:00:${String(Math.floor(ms / 1000)).padStart(2, '0')}.${String(ms % 1000).padStart(3, '0')}`

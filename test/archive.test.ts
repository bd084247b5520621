import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  type ArchiveFinding,
  type ArchiveStorage,
  archiveDays,
  openArchive,
  openStorage,
  verifyArchive,
} from '@booktape/archive'
import {
  openTape,
  type SpanQuestion,
  type Tape,
  type TapeEvent,
  type TapeQuestion,
  type TapeQuote,
} from '@booktape/client'
import { oldPartitions } from '@booktape/store'
import { type ArchivedRecording, archivedRecording, DAYS } from './archived-recording.ts'
import { startS3Server } from './s3-server.ts'
import { runCommand } from './spawned-command.ts'

const SECOND_NS = 1_000_000_000n

describe('an archive of two days', () => {
  let recording: ArchivedRecording
  let root: string
  let tape: Tape
  let archive: Tape

  const run = async (place: string | ArchiveStorage = root, again = false) => {
    const storage = typeof place === 'string' ? await openStorage(place) : place
    const options = { database: recording.database, tape, storage, software: 'booktape test', again }
    return await archiveDays({
      ...options,
      only: { fromDay: null, toDay: null },
      stopping: new AbortController().signal,
    })
  }

  before(async () => {
    recording = await archivedRecording({ minutes: 2, isSettled: true })
    root = await mkdtemp(join(tmpdir(), 'booktape-archive-test-'))
    tape = openTape(recording.url)
    archive = openArchive(await openStorage(root))
  })
  after(async () => {
    await archive.close()
    await tape.close()
    await recording.close()
    await rm(root, { recursive: true })
  })

  test('has each unit once, and a second run changes nothing', async () => {
    const first = await run()
    assert.deepEqual(first.days, DAYS)
    assert.equal(first.published.length, 2 * (2 * 2 + 2 + 1))
    const second = await run()
    assert.deepEqual([second.published, second.unchanged, second.days], [[], first.published.length, DAYS])
  })

  for (const [what, from, to, question] of [
    ['all of it', -30n, 30n, {}],
    ['v1 alone', 0n, 0n, { feed: 'v1' }],
    ['ws by the venue’s clock', 0n, 0n, { feed: 'ws', clock: 'exchange' }],
    ['trades', 0n, 0n, { only: 'trades' }],
    ['trades by the venue’s clock', 0n, 0n, { only: 'trades', clock: 'exchange' }],
    ['a span within the first epoch', 5n, -95n, { feed: 'ws' }],
    ['a span that begins where nothing is known', 22n, -40n, {}],
    ['a span over midnight', 40n, -30n, {}],
    ['a span of the second day', 65n, -5n, { feed: 'v1' }],
    ['the second day, from its first instant', 60n, 0n, {}],
  ] as const satisfies readonly (readonly [string, bigint, bigint, Partial<TapeQuestion>])[]) {
    test(`gives what the database gives: ${what}`, async () => {
      const asked: TapeQuestion = {
        symbols: recording.symbols,
        from: recording.fromNs + from * SECOND_NS,
        to: recording.toNs + to * SECOND_NS,
        ...question,
      }
      const expected = await all(tape, asked)
      const given = await all(archive, asked)
      assert.ok(expected.length > 5, `${expected.length} events`)
      for (const [i, event] of expected.entries()) assert.deepEqual(given[i], event, `event ${i}`)
      assert.equal(given.length, expected.length)
      const { symbols } = recording
      const span = { symbols, from: asked.from, to: asked.to }
      for (const feed of [undefined, 'v1', 'ws'] as const) {
        const ofFeed = { ...span, ...(feed === undefined ? {} : { feed }) }
        const coverage = await tape.coverage(ofFeed)
        assert.ok(coverage.length >= 2)
        assert.deepEqual(await archive.coverage(ofFeed), coverage)
        const quotes = await quotesOf(tape, ofFeed)
        assert.ok(quotes.length > 5)
        assert.deepEqual(await quotesOf(archive, ofFeed), quotes)
      }
      assert.deepEqual(await archive.instruments(symbols, span.from), await tape.instruments(symbols, span.from))
    })
  }

  test('has the book at each of many instants as the database has it', async () => {
    const [symbol = ''] = recording.symbols
    const kinds = new Set<string>()
    for (let at = recording.fromNs - 3n * SECOND_NS; at < recording.toNs + 10n * SECOND_NS; at += 11_141_592_653n) {
      for (const feed of [undefined, 'v1', 'ws'] as const) {
        const question = { symbol, at, ...(feed === undefined ? {} : { feed }) }
        const expected = await tape.bookAt(question)
        assert.deepEqual(await archive.bookAt(question), expected)
        kinds.add(expected.kind)
      }
    }
    assert.deepEqual([...kinds].sort(), ['book', 'gap'])
  })

  test('booktape verify --archive says whether it is whole, by itself and by what the database has noted', async (t) => {
    const verify = async (...args: readonly string[]) => await runCommand(t, ['verify', '--archive', ...args], {})
    const asked = async (...args: readonly string[]) =>
      await runCommand(t, ['verify', '--archive', ...args], { DATABASE_URL: recording.url })
    const whole = await verify(root)
    assert.match(
      whole.stdout,
      /^\/.*: 2 days, 14 parts, 34 files, [\d,]+ rows \([\d,]+ bytes\) read back, \d+ books rebuilt and compared\nno database was asked whether these are the files that were published\nnothing is altered, missing or doubled\n$/,
    )
    assert.deepEqual([whole.code, whole.stderr], [0, ''])
    const noted = await asked(root)
    assert.deepEqual(
      [noted.code, noted.stdout.split('\n').slice(1)],
      [0, ['nothing is altered, missing or doubled', '']],
    )

    const copy = `${root}-copy`
    t.after(() => rm(copy, { recursive: true }))
    await cp(root, copy, { recursive: true })
    const elsewhere = await asked(copy)
    assert.match(elsewhere.stdout, /\nnoted in the database as archived elsewhere: 2 days\n/)
    const changed = 'book_changes/feed=ws/symbol=btcgusdperp/date=2026-03-02/book_changes.parquet'
    const bytes = await readFile(join(copy, changed))
    bytes[100] = (bytes[100] ?? 0) ^ 1
    await writeFile(join(copy, changed), bytes)
    const damaged = await verify(copy)
    const sentence = `${changed} has other bytes than its manifest says. Restore it from a copy, or, while the database has that day, archive it with --again.`
    assert.deepEqual([damaged.code, damaged.stdout.split('\n')[0]], [1, `altered  ${sentence}`])
    assert.match(damaged.stdout, /\n1 finding: docs\/verify\.md says what to do about each kind\n$/)
    const json = await verify(copy, 'btcgusdperp', '--feed', 'ws', '--from', '2026-03-02', '--json')
    const [finding, report] = json.stdout.split('\n').map((line) => (line === '' ? null : (JSON.parse(line) as object)))
    const place = { symbol: 'btcgusdperp', feed: 'ws', line: null, at: '2026-03-02' }
    assert.deepEqual(finding, { kind: 'altered', relation: 'archive', ...place, sentence })
    assert.deepEqual(
      Object.entries(report ?? {}).filter(([name]) => ['kind', 'days', 'parts', 'findings'].includes(name)),
      [
        ['kind', 'report'],
        ['days', 1],
        ['parts', 3],
        ['findings', 1],
      ],
    )
    for (const args of [
      ['btcgusdperp', '--feed', 'v1'],
      ['--to', '2026-03-02'],
    ])
      assert.equal((await verify(copy, ...args)).code, 0, args.join(' '))
    const nothing = await verify(`${root}-mistyped`)
    assert.deepEqual([nothing.code, nothing.stdout], [1, ''])
    assert.match(nothing.stderr, /-mistyped holds no archive: name another place, or run "booktape archive" first\.\n$/)
    const line = await verify(copy, '--line', 'a')
    assert.deepEqual(
      [line.code, line.stderr],
      [78, '--line does not go with --archive: an archive has one line at a time.\n'],
    )
  })

  test('days that the database has noted, and that are gone or others, are found', async (t) => {
    const aside = `${root}-aside`
    await cp(root, aside, { recursive: true })
    t.after(async () => {
      await rm(root, { recursive: true })
      await cp(aside, root, { recursive: true })
      await rm(aside, { recursive: true })
    })
    const day = '_manifests/day/date=2026-03-01/manifest.json'
    for (const path of await readdir(root, { recursive: true }))
      if (path.includes('date=2026-03-01')) await rm(join(root, path), { recursive: true, force: true })
    const text = await readFile(join(root, day.replace('-01', '-02')), 'utf8')
    const { digest: _, ...manifest } = JSON.parse(text) as Record<string, unknown>
    const other = { ...manifest, software: 'booktape other' }
    const digest = createHash('sha256').update(JSON.stringify(other)).digest('hex')
    await writeFile(join(root, day.replace('-01', '-02')), `${JSON.stringify({ ...other, digest }, null, 1)}\n`)
    assert.equal((await runCommand(t, ['verify', '--archive', root], {})).code, 0)
    const { code, stdout } = await runCommand(t, ['verify', '--archive', root], { DATABASE_URL: recording.url })
    assert.equal(code, 1)
    assert.match(
      stdout,
      /^missing {2}_manifests\/day\/date=2026-03-01\/manifest\.json is not there, though the database has noted that day as archived here on 2026-/,
    )
    assert.match(
      stdout,
      /\naltered {2}_manifests\/day\/date=2026-03-02\/manifest\.json is not the one that was published: the database has noted that day/,
    )
  })

  test('what was damaged is mended by writing it again', async (t) => {
    const copy = `${root}-copy`
    t.after(() => rm(copy, { recursive: true }))
    await cp(root, copy, { recursive: true })
    for (const name of [
      'trades/symbol=btcgusdperp/date=2026-03-01/trades.parquet',
      '_manifests/day/date=2026-03-02/manifest.json',
    ])
      await rm(join(copy, name))
    assert.equal((await findingsOf(await openStorage(copy))).length, 2)
    assert.equal((await run(copy, true)).published.length, 14)
    assert.deepEqual(await findingsOf(await openStorage(copy)), [])
    await run() // the database has noted the copy meanwhile
  })

  test('is the same after any number of kills, and what was published before each of them stays whole', async () => {
    const other = join(root, '..', `${basename(root)}-killed`)
    try {
      // Before anything, between the files of books, before their manifest, and before that of trades when all books of a day stand.
      for (const calls of [0, 4, 5, 27]) {
        const victim = fileURLToPath(new URL('archive-victim.ts', import.meta.url))
        const child = spawn(process.execPath, [victim, recording.url, other, String(calls)], { stdio: 'inherit' })
        assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
        const storage = await openStorage(other)
        if (calls === 0) await assert.rejects(() => findingsOf(storage), { code: 'NOT_ARCHIVED' })
        else
          for (const { sentence } of await findingsOf(storage)) assert.match(sentence, /^_manifests\/day\/date=2026-03-0[12]\/manifest\.json is not there, though parts of that day are: it was lost, or a run of "booktape archive" goes on or was stopped\./) // biome-ignore format: one sentence
        await assert.rejects(
          () => all(openArchive(storage), { symbols: recording.symbols, from: recording.fromNs, to: recording.toNs }),
          { code: 'NOT_ARCHIVED' },
        )
      }
      assert.ok((await run(other)).unchanged > 0)
      assert.deepEqual(await contentsOf(other), await contentsOf(root))
    } finally {
      await rm(other, { recursive: true, force: true })
    }
  })

  test('can lie in object storage', async (t) => {
    const server = await startS3Server()
    t.after(() => server.close())
    const env = { ...server.keys, AWS_ENDPOINT_URL: server.endpoint, DATABASE_URL: recording.url }
    const place = `s3://${server.bucket}/archive`
    const first = await runCommand(t, ['archive', place, '--json'], env)
    assert.equal(first.code, 0, first.stderr)
    const written = JSON.parse(first.stdout) as Report
    assert.deepEqual([written.days, written.published.length], [DAYS, 14])
    Object.assign(process.env, server.keys)
    const storage = await openStorage(place, { endpoint: server.endpoint })
    const second = await run(storage)
    assert.deepEqual([second.published, second.unchanged], [[], 14])
    assert.deepEqual(await findingsOf(storage), [])
    const question = { symbols: recording.symbols, from: recording.fromNs, to: recording.toNs }
    assert.deepEqual(await all(openArchive(storage), question), await all(archive, question))
    await storage.close()
    const read = { ...server.keys, AWS_ENDPOINT_URL: server.endpoint }
    const verified = await runCommand(t, ['verify', '--archive', place, '--to', '2026-03-02'], read)
    assert.match(
      verified.stdout,
      /^s3:\/\/tape\/archive\/: 1 day, 7 parts, 17 files, .*\n.*\nnothing is altered, missing or doubled\n$/,
    )
    const span = ['ethgusdperp', '--from', '2026-03-01', '--to', '2026-03-02']
    const [fromS3, fromFolder] = await Promise.all(
      [place, root].map((from) =>
        runCommand(t, ['export', ...span, '--format', 'ndjson', '--out', '-', '--archive', from], read),
      ),
    )
    assert.deepEqual([fromS3?.code, fromS3?.stderr, fromS3?.stdout], [0, '', fromFolder?.stdout])
    assert.ok((fromS3?.stdout ?? '').split('\n').length > 100)
  })

  test('that cannot be reached is named, with what to do', async (t) => {
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', DATABASE_URL: recording.url }
    const away = await runCommand(t, ['archive', 's3://tape/a'], { ...env, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' })
    assert.equal(away.code, 1)
    assert.match(
      away.stderr,
      /^The archive s3:\/\/tape\/a\/ cannot be read: .*ECONNREFUSED.* Mend that, then run this again\.\n$/,
    )
    const open = await runCommand(t, ['archive', 's3://tape/a'], { ...env, AWS_ENDPOINT_URL: 'http://minio.example' })
    assert.deepEqual(
      [open.code, open.stderr],
      [78, 'the endpoint of object storage must be https://…, not "http://minio.example".\n'],
    )
    assert.equal((await runCommand(t, ['archive'], { DATABASE_URL: recording.url })).code, 78)
  })

  test('trades that came later are written again, and what names them, and nothing else', async () => {
    const [symbol = ''] = recording.symbols
    const { rows } = await recording.database.pool.query(
      `update booktape.trades set broken = true where (symbol, trade_id) in
        (select symbol, trade_id from booktape.trades where symbol = $1 limit 1) returning trade_id`,
      [symbol],
    )
    assert.equal(rows.length, 1)
    const { published } = await run()
    assert.deepEqual(
      published.map(({ unit }) => unit.kind),
      ['trades', 'day'], // which names it
    )
    const trades = await all(archive, { symbols: [symbol], from: recording.fromNs, to: recording.toNs, only: 'trades' })
    assert.equal(trades.filter((trade) => trade.kind === 'trade' && trade.broken).length, 1)
  })

  test('what a recorder that was far behind stores later is archived too', async () => {
    const archived = await contentsOf(root)
    const shift = (by: string) =>
      recording.database.pool.query(
        `update booktape.epochs set ended_at = ended_at + $1::interval where epoch_id =
        (select epoch_id from booktape.epochs where feed = 'ws' order by symbol, started_at desc limit 1)`,
        [by],
      )
    for (const by of ['-5 seconds', '5 seconds']) {
      await shift(by)
      assert.deepEqual(
        (await run()).published.map(({ unit }) => unit.kind),
        ['books', 'day'],
      )
    }
    assert.deepEqual(await contentsOf(root), archived)
  })

  test('quotes of a book that was never known are archived, so that retention may drop them', async () => {
    await recording.database.pool.query(`insert into booktape.quotes
      select (jsonb_populate_record(q, '{"symbol": "solgusdperp", "session_id": "00000000-0000-4000-8000-000000000001"}')).* from booktape.quotes q where q.feed = 'ws' and q.received_time >= '2026-03-02 00:00Z' limit 3`)
    await recording.database.pool.query(`insert into booktape.tallies
      select 'quotes', 'solgusdperp', feed, line, hour, 3, 0 from booktape.tallies where relation = 'quotes' and feed = 'ws' and hour >= '2026-03-02 00:00Z' limit 1`)
    const { published } = await run()
    assert.deepEqual(
      published.map(({ unit, rows, changes }) => [
        unit.kind,
        unit.kind === 'books' && unit.symbol,
        unit.kind === 'books' && rows,
        changes,
      ]),
      [
        ['books', 'solgusdperp', 3, 0],
        ['day', false, false, 0],
      ],
    )
    assert.deepEqual(await findingsOf(await openStorage(root)), [])
  })

  test('lets retention drop a day whose next day is archived too', async () => {
    const old = await oldPartitions(recording.database, '2026-03-03', true)
    assert.deepEqual(
      [...new Set(old.map(({ day, kept }) => `${day} ${kept}`))],
      ['2026-03-01 null', '2026-03-02 not archived'],
    )
  })
})

async function quotesOf(tape: Tape, question: SpanQuestion): Promise<readonly TapeQuote[]> {
  const quotes: TapeQuote[] = []
  for await (const page of tape.quotes(question)) quotes.push(...page)
  return quotes
}

async function findingsOf(storage: ArchiveStorage): Promise<readonly ArchiveFinding[]> {
  const findings: ArchiveFinding[] = []
  for await (const event of verifyArchive({ storage, noted: null }))
    if (event.kind === 'finding') findings.push(event.finding)
  return findings
}

type Report = Readonly<{ days: readonly string[]; published: readonly unknown[]; unchanged: number }>

/** Every file by its path, with its text or bytes. */
async function contentsOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const contents = await Promise.all(files.sort().map((file) => readFile(file, 'base64')))
  return Object.fromEntries(files.map((file, i) => [file.slice(folder.length), contents[i] ?? '']))
}

async function all(tape: Tape, question: TapeQuestion): Promise<readonly TapeEvent[]> {
  const events: TapeEvent[] = []
  for await (const page of tape.pages(question)) events.push(...page)
  return events
}

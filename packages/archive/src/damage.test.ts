import assert from 'node:assert/strict'
import { appendFile, cp, mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { ArchivedDay } from '@booktape/store'
import {
  DAYS,
  notesOf,
  onCopy,
  publishDay,
  type Reach,
  rewriteManifest,
  rewriteRows,
  SYMBOLS,
  smallArchive,
} from './archive.fixture.ts'
import { ArchiveError } from './errors.ts'
import { manifestPath, tablePath } from './layout.ts'
import { localStorage } from './local-storage.ts'
import type { Manifest } from './manifest.ts'
import { openArchive } from './open-archive.ts'
import type { Row } from './tables.ts'
import { verifyArchive } from './verify-archive.ts'

const [DAY, NEXT_DAY] = DAYS
const BOOKS = { kind: 'books', date: DAY, symbol: 'btcusd', feed: 'ws' } as const
const TRADES = { kind: 'trades', date: DAY, symbol: 'btcusd' } as const
const WHOLE_DAY = { kind: 'day', date: DAY } as const
const CHANGES = tablePath('book_changes', BOOKS)
const BOOKS_MANIFEST = manifestPath(BOOKS)
const TRADES_MANIFEST = manifestPath(TRADES)
const DAY_MANIFEST = manifestPath(WHOLE_DAY)
const RESTORE = 'Restore it from a copy, or, while the database has that day, archive it with --again.'
const MOVE = 'and whoever reads the folders reads it too. Move it out of the archive.'
const NOT_PUBLISHED = `_manifests/day/date=2026-03-01/manifest.json is not the one that was published: the database has noted that day as archived here on 2026-03-03T00:20:00.000000Z, with another SHA-256. ${RESTORE}`

type Damage = Readonly<{
  kind: string
  damage: (folder: string) => Promise<unknown>
  says: readonly string[]
  /** What the database's notes say beside or instead. */
  saysNoted?: readonly string[]
  /** Whoever did it made everything that a reader looks at anew: only verifying rebuilds the books. */
  isForged?: boolean
}>

const flip = async (file: string, at: number): Promise<void> => {
  const bytes = await readFile(file)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(file, bytes)
}
const exchange = async (folder: string, a: string, b: string): Promise<void> => {
  await rename(join(folder, a), join(folder, 'aside'))
  await rename(join(folder, b), join(folder, a))
  await rename(join(folder, 'aside'), join(folder, b))
}
const replaceIn = async (file: string, what: string | RegExp, by: string): Promise<void> => {
  const text = await readFile(file, 'utf8')
  const replaced = text.replace(what, by)
  assert.notEqual(replaced, text)
  await writeFile(file, replaced)
}
const copyTo = async (folder: string, from: string, to: string): Promise<void> => {
  await mkdir(dirname(join(folder, to)), { recursive: true })
  await cp(join(folder, from), join(folder, to), { recursive: true })
}
/** Another value for one cell of the 20th row. */
const alterCell =
  (column: number, value: Row[number]) =>
  (rows: readonly Row[]): readonly Row[] =>
    rows.map((row, i) => (i === 20 ? row.map((cell, at) => (at === column ? value : cell)) : row))
const QUANTITY = 10
const dropped = (rows: readonly Row[]): readonly Row[] => rows.toSpliced(20, 1)
const doubled = (rows: readonly Row[]): readonly Row[] => rows.toSpliced(5, 0, rows[5] ?? [])
const reordered = (rows: readonly Row[]): readonly Row[] =>
  rows.map((row, i) => (i === 1 ? rows[2] : i === 2 ? rows[1] : row) ?? row)

const rowsDamage = (
  kind: string,
  alter: (rows: readonly Row[]) => readonly Row[],
  reach: Reach,
  ...says: string[]
): Damage => ({
  kind: `${kind}, ${REACHED[reach]}`,
  damage: (folder) => rewriteRows(folder, BOOKS, 'book_changes', alter, reach),
  says,
  ...(reach === 'day' ? { saysNoted: [NOT_PUBLISHED], isForged: true } : {}),
})
const REACHED: Readonly<Record<Reach, string>> = {
  file: 'in the file alone',
  manifest: 'with its SHA-256 and digest made anew',
  day: 'with its SHA-256 and digest made anew, and the day’s manifest too',
}
const NOT_NAMED = `altered ${BOOKS_MANIFEST} is not the manifest that its day names. ${RESTORE}`

const DAMAGES: readonly Damage[] = [
  ...(['book_changes', 'book_snapshots', 'quotes'] as const).map(
    (table): Damage => ({
      kind: `a byte of ${table} flipped`,
      damage: (folder) => flip(join(folder, tablePath(table, BOOKS)), 50),
      says: [`altered ${tablePath(table, BOOKS)} has other bytes than its manifest says. ${RESTORE}`],
    }),
  ),
  ...(['trades', 'epochs', 'gaps', 'instruments'] as const).map((table): Damage => {
    const path = tablePath(table, table === 'trades' ? TRADES : WHOLE_DAY)
    return {
      kind: `a byte of ${table} flipped`,
      damage: (folder) => flip(join(folder, path), 50),
      says: [`altered ${path} has other bytes than its manifest says. ${RESTORE}`],
    }
  }),
  ...[BOOKS_MANIFEST, TRADES_MANIFEST, DAY_MANIFEST].map(
    (path): Damage => ({
      kind: `a byte of ${path.split('/')[1]}’s manifest flipped`,
      damage: (folder) => replaceIn(join(folder, path), 'booktape test', 'booktape tesu'),
      says: [`altered ${path} is not as it was written. ${RESTORE}`],
    }),
  ),
  {
    kind: 'a file truncated by a byte',
    damage: async (folder) => {
      const file = join(folder, CHANGES)
      await truncate(file, (await readFile(file)).length - 1)
    },
    says: [`altered ${CHANGES} has BYTES bytes, not the BYTES of its manifest. ${RESTORE}`],
  },
  {
    kind: 'a file made longer',
    damage: (folder) => appendFile(join(folder, CHANGES), 'x'),
    says: [`altered ${CHANGES} has BYTES bytes, not the BYTES of its manifest. ${RESTORE}`],
  },
  {
    kind: 'a file emptied',
    damage: (folder) => truncate(join(folder, CHANGES)),
    says: [`altered ${CHANGES} has BYTES bytes, not the BYTES of its manifest. ${RESTORE}`],
  },
  {
    kind: 'two files of a part gone',
    damage: async (folder) => {
      await rm(join(folder, CHANGES))
      await rm(join(folder, tablePath('quotes', BOOKS)))
    },
    says: [
      `missing ${CHANGES} is not there. ${RESTORE}`,
      `missing ${tablePath('quotes', BOOKS)} is not there. ${RESTORE}`,
    ],
  },
  {
    kind: 'a second file beside one that was published',
    damage: (folder) => copyTo(folder, CHANGES, CHANGES.replace('book_changes.parquet', 'copy.parquet')),
    says: [`surplus ${CHANGES.replace('book_changes.parquet', 'copy.parquet')} is in no manifest of its day, ${MOVE}`],
  },
  {
    kind: 'a file of a symbol that was not recorded',
    damage: (folder) => copyTo(folder, CHANGES, CHANGES.replace('btcusd', 'dogeusd')),
    says: [`surplus ${CHANGES.replace('btcusd', 'dogeusd')} is in no manifest of its day, ${MOVE}`],
  },
  {
    kind: 'a whole part of a symbol that was not recorded',
    damage: async (folder) => {
      for (const path of [tablePath('trades', TRADES), TRADES_MANIFEST])
        await copyTo(folder, path, path.replace('btcusd', 'dogeusd'))
    },
    says: [
      `surplus ${TRADES_MANIFEST.replace('btcusd', 'dogeusd')} is in no manifest of its day, ${MOVE}`,
      `surplus ${tablePath('trades', TRADES).replace('btcusd', 'dogeusd')} is in no manifest of its day, ${MOVE}`,
    ],
  },
  {
    kind: 'a file where none belongs',
    damage: (folder) => copyTo(folder, tablePath('trades', TRADES), 'trades/trades.parquet'),
    says: [`surplus trades/trades.parquet is of no day, ${MOVE}`],
  },
  {
    kind: 'a file of a day that is none',
    damage: (folder) =>
      copyTo(folder, tablePath('trades', TRADES), 'trades/symbol=btcusd/date=2026-13-41/trades.parquet'),
    says: [`surplus trades/symbol=btcusd/date=2026-13-41/trades.parquet is of no day, ${MOVE}`],
  },
  {
    kind: 'files of two days exchanged',
    damage: (folder) => exchange(folder, CHANGES, tablePath('book_changes', { ...BOOKS, date: NEXT_DAY })),
    says: [
      `altered ${CHANGES} has other bytes than its manifest says. ${RESTORE}`,
      `altered ${tablePath('book_changes', { ...BOOKS, date: NEXT_DAY })} has other bytes than its manifest says. ${RESTORE}`,
    ],
  },
  {
    kind: 'files of two symbols exchanged',
    damage: (folder) =>
      exchange(folder, tablePath('trades', TRADES), tablePath('trades', { ...TRADES, symbol: 'ethusd' })),
    says: [
      `altered ${tablePath('trades', TRADES)} has other bytes than its manifest says. ${RESTORE}`,
      `altered ${tablePath('trades', { ...TRADES, symbol: 'ethusd' })} has other bytes than its manifest says. ${RESTORE}`,
    ],
  },
  {
    kind: 'a file of the other feed put in place of one',
    damage: (folder) => copyTo(folder, tablePath('quotes', { ...BOOKS, feed: 'v1' }), tablePath('quotes', BOOKS)),
    says: [`altered ${tablePath('quotes', BOOKS)} has BYTES bytes, not the BYTES of its manifest. ${RESTORE}`],
  },
  {
    kind: 'two symbols’ files and manifests exchanged together',
    damage: async (folder) => {
      const other = { ...TRADES, symbol: 'ethusd' }
      await exchange(folder, tablePath('trades', TRADES), tablePath('trades', other))
      await exchange(folder, TRADES_MANIFEST, manifestPath(other))
    },
    says: [
      `altered ${TRADES_MANIFEST} is the manifest of something else. ${RESTORE}`,
      `altered ${TRADES_MANIFEST.replace('btcusd', 'ethusd')} is the manifest of something else. ${RESTORE}`,
    ],
  },
  {
    kind: 'a manifest gone',
    damage: (folder) => rm(join(folder, BOOKS_MANIFEST)),
    says: [`missing ${BOOKS_MANIFEST} is not there, though its day names it. ${RESTORE}`],
  },
  {
    kind: 'the manifest of a day gone',
    damage: (folder) => rm(join(folder, DAY_MANIFEST)),
    says: [
      `missing ${DAY_MANIFEST} is not there, though parts of that day are: it was lost, or a run of "booktape archive" goes on or was stopped. Run "booktape archive" again, or restore the file.`,
    ],
    saysNoted: [
      `missing ${DAY_MANIFEST} is not there, though the database has noted that day as archived here on 2026-03-03T00:20:00.000000Z. ${RESTORE}`,
    ],
  },
  {
    kind: 'a manifest emptied',
    damage: (folder) => truncate(join(folder, BOOKS_MANIFEST)),
    says: [`altered ${BOOKS_MANIFEST} is no JSON. ${RESTORE}`],
  },
  {
    kind: 'a manifest that is JSON and nothing else',
    damage: (folder) => writeFile(join(folder, BOOKS_MANIFEST), 'null'),
    says: [`altered ${BOOKS_MANIFEST} is not as it was written. ${RESTORE}`],
  },
  {
    kind: 'a manifest of an earlier version put in place of one',
    damage: (folder) => replaceIn(join(folder, BOOKS_MANIFEST), '"format": 2', '"format": 1'),
    says: [`altered ${BOOKS_MANIFEST} was written by an earlier version of booktape: archive that day with --again.`],
  },
  {
    kind: 'a manifest of a later version put in place of one',
    damage: (folder) => replaceIn(join(folder, DAY_MANIFEST), '"format": 2', '"format": 3'),
    says: [`altered ${DAY_MANIFEST} was written by a later version of booktape: update this one.`],
  },
  {
    kind: 'an earlier publication of a part put in place of the last',
    damage: (folder) =>
      onCopy(folder, async (earlier) => {
        await publishDay(earlier, DAY, '7')
        for (const path of [TRADES_MANIFEST, tablePath('trades', TRADES)])
          await cp(join(earlier, path), join(folder, path))
      }),
    says: [`altered ${TRADES_MANIFEST} is not the manifest that its day names. ${RESTORE}`],
  },
  ...(
    [
      ['a gap', 'gaps'],
      ['an epoch', 'spans'],
      ['the digests of books', 'digests'],
    ] as const
  ).flatMap(([what, field]): readonly Damage[] => [
    {
      kind: `${what} taken out of a manifest`,
      damage: (folder) =>
        replaceIn(join(folder, BOOKS_MANIFEST), new RegExp(`"${field}": \\[\\n  \\{[^}]*\\},?`), `"${field}": [`),
      says: [`altered ${BOOKS_MANIFEST} is not as it was written. ${RESTORE}`],
    },
    {
      kind: `${what} taken out of a manifest, and its digest made anew`,
      damage: (folder) =>
        rewriteManifest(
          folder,
          BOOKS,
          (manifest) => ({ ...manifest, [field]: (manifest as unknown as Record<string, unknown[]>)[field]?.slice(1) }),
          'manifest',
        ),
      says: [NOT_NAMED],
    },
  ]),
  {
    kind: 'a part taken out of the manifest of its day, and its digest made anew',
    damage: (folder) =>
      rewriteManifest(
        folder,
        WHOLE_DAY,
        (manifest) => ({ ...manifest, units: unitsOf(manifest).filter(({ path }) => path !== TRADES_MANIFEST) }),
        'day',
      ),
    says: [
      `surplus ${TRADES_MANIFEST} is in no manifest of its day, ${MOVE}`,
      `surplus ${tablePath('trades', TRADES)} is in no manifest of its day, ${MOVE}`,
    ],
    saysNoted: [NOT_PUBLISHED],
    isForged: true,
  },
  rowsDamage('a quantity altered', alterCell(QUANTITY, '7'), 'file', `altered ${CHANGES} has BYTES bytes, not the BYTES of its manifest. ${RESTORE}`), // biome-ignore format: a row
  rowsDamage('a quantity altered', alterCell(QUANTITY, '7'), 'manifest', NOT_NAMED),
  rowsDamage('a quantity altered', alterCell(QUANTITY, '7'), 'day', `altered ${CHANGES} gives another book after message 11 of epoch EPOCH. ${RESTORE}`), // biome-ignore format: a row
  rowsDamage('a row dropped', dropped, 'manifest', NOT_NAMED),
  rowsDamage('a row dropped', dropped, 'day', `altered ${CHANGES} gives 0 of the 2 books that its manifest has digests of. ${RESTORE}`), // biome-ignore format: a row
  rowsDamage('rows reordered', reordered, 'manifest', NOT_NAMED),
  rowsDamage('a row doubled', doubled, 'manifest', NOT_NAMED),
]

/** What only the database's notes tell, because everything in the archive says the same. */
const FOUND_BY_NOTES: readonly (readonly [
  kind: string,
  damage: (folder: string) => Promise<unknown>,
  ...says: readonly string[],
])[] = [
  [
    'a trade altered, with every SHA-256 and digest of the archive made anew',
    (folder) =>
      rewriteRows(folder, TRADES, 'trades', (rows) => rows.map((row, i) => (i === 0 ? row.with(3, '1') : row)), 'day'),
    `altered ${NOT_PUBLISHED}`,
  ],
  [
    'a row of the book doubled, with every SHA-256 and digest of the archive made anew',
    (folder) => rewriteRows(folder, BOOKS, 'book_changes', doubled, 'day'),
    `altered ${NOT_PUBLISHED}`,
  ],
  ['a day replaced by another publication of it', (folder) => publishDay(folder, DAY, '7'), `altered ${NOT_PUBLISHED}`],
  [
    'a whole day taken away',
    async (folder) => {
      for await (const path of pathsOf(folder)) if (path.includes(`date=${DAY}`)) await rm(join(folder, path))
    },
    `missing ${DAY_MANIFEST} is not there, though the database has noted that day as archived here on 2026-03-03T00:20:00.000000Z. ${RESTORE}`,
  ],
]

describe('an archive that was damaged', () => {
  let folder = ''
  let notes: readonly ArchivedDay[] = []
  let whole: readonly unknown[] = []

  before(async () => {
    folder = await smallArchive()
    notes = await notesOf(folder)
    whole = await everythingIn(folder)
  })
  after(() => rm(folder, { recursive: true }))

  const notedAt = (place: string) => notes.map((note) => ({ ...note, place }))

  test('is whole before, also by what the database has noted', async () => {
    assert.deepEqual(await findingsOf(folder, null), [])
    assert.deepEqual(await findingsOf(folder, notedAt(folder)), [])
    assert.ok(whole.length > 200)
  })

  test('in as many ways as README.md and docs/verify.md say', () =>
    assert.equal(DAMAGES.length + FOUND_BY_NOTES.length, 48))

  for (const { kind, damage, says, saysNoted = [], isForged = false } of DAMAGES) {
    test(`${kind}: found and named${isForged ? '' : ', and no reader is told anything else than before'}`, async () =>
      await onCopy(folder, async (copy) => {
        await damage(copy)
        assert.deepEqual(await findingsOf(copy, null), says)
        const noted = saysNoted.length === 0 ? [] : await findingsOf(copy, notedAt(copy))
        for (const sentence of saysNoted)
          assert.ok(
            noted.some((found) => found.endsWith(sentence)),
            noted.join('\n'),
          )
        if (!isForged) await assertRefusedOr(whole, copy)
      }))
  }

  for (const [kind, damage, ...says] of FOUND_BY_NOTES) {
    test(`${kind}: not found by the archive alone, and by what the database has noted`, async () =>
      await onCopy(folder, async (copy) => {
        await damage(copy)
        assert.deepEqual(await findingsOf(copy, null), [])
        assert.deepEqual(await findingsOf(copy, notedAt(copy)), says)
      }))
  }

  test('is not asked for days that the database has noted of another archive', async () => {
    const events = await eventsOf(folder, [...notedAt('/srv/other'), ...notedAt(folder).slice(0, 1)])
    assert.deepEqual(events.at(-1), {
      kind: 'report',
      report: { days: 2, parts: 12, files: 28, rows: 518, bytes: 0, books: 12, findings: 0, elsewhere: 2 },
    })
  })

  test('and what a killed run leaves behind is no damage, but its day is named', async () => {
    await onCopy(folder, async (copy) => {
      await mkdir(join(copy, '.incoming'))
      await writeFile(join(copy, '.incoming', 'book_changes.parquet'), 'half of it')
      assert.deepEqual(await findingsOf(copy, null), [])
      await copyTo(copy, CHANGES, CHANGES.replace(DAY, '2026-03-03'))
      assert.deepEqual(await findingsOf(copy, null), [
        `missing ${DAY_MANIFEST.replace(DAY, '2026-03-03')} is not there, though parts of that day are: it was lost, or a run of "booktape archive" goes on or was stopped. Run "booktape archive" again, or restore the file.`,
      ])
    })
  })
})

/** Nothing that was not published is told; what was damaged is refused. */
async function assertRefusedOr(whole: readonly unknown[], folder: string): Promise<void> {
  let told: readonly unknown[]
  try {
    told = await everythingIn(folder)
  } catch (error) {
    assert.ok(error instanceof ArchiveError, String(error))
    return
  }
  assert.deepEqual(told, whole)
}

const unitsOf = (manifest: Manifest) => (manifest.kind === 'day' ? manifest.units : [])

async function* pathsOf(folder: string): AsyncGenerator<string> {
  yield* await localStorage(folder).list('')
}

async function eventsOf(folder: string, noted: readonly ArchivedDay[] | null) {
  const events: unknown[] = []
  for await (const event of verifyArchive({ storage: localStorage(folder), noted }))
    events.push(event.kind === 'report' ? { ...event, report: { ...event.report, bytes: 0 } } : event)
  return events
}

async function findingsOf(folder: string, noted: readonly ArchivedDay[] | null): Promise<readonly string[]> {
  const found: string[] = []
  for await (const event of verifyArchive({ storage: localStorage(folder), noted })) {
    if (event.kind !== 'finding') continue
    const { kind, sentence } = event.finding
    const plain = sentence.replaceAll(/\d+ bytes, not the \d+/g, 'BYTES bytes, not the BYTES')
    found.push(`${kind} ${plain.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'EPOCH')}`)
  }
  return found.sort()
}

/** All that a reader is told: events, quotes, coverage and instruments. */
async function everythingIn(folder: string): Promise<readonly unknown[]> {
  const archive = openArchive(localStorage(folder))
  const told: unknown[] = []
  for (const feed of ['v1', 'ws'] as const) {
    const question = { symbols: SYMBOLS, from: `${DAY}T00:00Z`, to: `2026-03-03T00:00Z`, feed }
    for await (const page of archive.pages(question)) told.push(...page)
    for await (const page of archive.quotes(question)) told.push(...page)
    told.push(await archive.coverage(question))
  }
  told.push(await archive.instruments(SYMBOLS, `${DAY}T00:00Z`))
  return told
}

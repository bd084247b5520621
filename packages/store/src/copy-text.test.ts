import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { InvariantError } from '@booktape/market'
import fc from 'fast-check'
import { arrayText, quoted } from './array-text.ts'
import { CopyText } from './copy-text.ts'
import { MAX_STATEMENT_LENGTH, MAX_STATEMENT_ROWS } from './statement-blocks.ts'

const PLACE = { symbol: 'btcusd', feed: 'ws', hour: '2026-07-29T08' }

const ascii = fc.string({ unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)) })

test('any rows are read back as the columns they were written as', () => {
  const row = fc.record({
    plain: fc.bigInt({ min: 0n, max: 2n ** 63n }),
    text: ascii,
    numbers: fc.array(fc.integer()),
  })
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 50 }), (rows) => {
      const copy = new CopyText()
      for (const { plain, text, numbers } of rows) {
        copy.field(plain.toString())
        copy.field(quoted(text))
        copy.field('NULL')
        copy.letters(numbers, () => 'u')
        copy.array(numbers, String)
        copy.endRow(PLACE)
      }
      const blocks = [...copy.blocks()]
      assert.equal(blocks.length, 1)
      assert.deepEqual(blocks[0]?.columns, [
        rows.map(({ plain }) => plain.toString()),
        rows.map(({ text }) => quoted(text)),
        rows.map(() => 'NULL'),
        rows.map(({ numbers }) => `"${'u'.repeat(numbers.length)}"`),
        rows.map(({ numbers }) => `"${arrayText(numbers.map(String))}"`),
        rows.map(({ plain, text, numbers }) =>
          sha256Of(
            `${plain},${quoted(text)},NULL,"${'u'.repeat(numbers.length)}","${arrayText(numbers.map(String))}"`,
          ).toString(),
        ),
      ])
    }),
  )
})

/** The first 48 bits. */
function sha256Of(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6)
}

test('a row is a line, fields are set apart by commas, and its checksum is the last', () => {
  const copy = new CopyText()
  for (const field of ['1', 'NULL', '"a"']) copy.field(field)
  copy.endRow(PLACE)
  const [block] = [...copy.blocks()]
  assert.equal(Buffer.from(block?.text ?? []).toString(), `1,NULL,"a",${sha256Of('1,NULL,"a"')}\n`)
})

test('blocks are cut at the limits of a statement, and hold every row once', () => {
  const many = new CopyText()
  for (let i = 0; i < MAX_STATEMENT_ROWS * 2 + 1; i++) {
    many.field(String(i))
    many.endRow(PLACE)
  }
  assert.deepEqual(
    [...many.blocks()].map(({ rows }) => rows),
    [MAX_STATEMENT_ROWS, MAX_STATEMENT_ROWS, 1],
  )
  assert.deepEqual(
    [...many.blocks()].flatMap(({ columns }) => columns[0] ?? []),
    Array.from({ length: MAX_STATEMENT_ROWS * 2 + 1 }, (_, i) => String(i)),
  )
  const long = new CopyText()
  for (let i = 0; i < 3; i++) {
    long.field('9'.repeat(MAX_STATEMENT_LENGTH / 2))
    long.endRow(PLACE)
  }
  assert.deepEqual(
    [...long.blocks()].map(({ rows }) => rows),
    [1, 1, 1],
  )
})

test('a block counts its rows and sums up their checksums, by symbol, feed and hour', () => {
  const copy = new CopyText()
  const later = { ...PLACE, hour: '2026-07-29T09' }
  for (const [field, place] of [
    ['1', PLACE],
    ['2', later],
    ['3', PLACE],
  ] as const) {
    copy.field(field)
    copy.endRow(place)
  }
  const [block] = [...copy.blocks()]
  assert.deepEqual(
    [...(block?.counts ?? [])],
    [
      [PLACE, { rows: 2, checksum: (sha256Of('1') + sha256Of('3')) % 2 ** 48 }],
      [later, { rows: 1, checksum: sha256Of('2') }],
    ],
  )
})

test('no rows are no block', () => assert.deepEqual([...new CopyText().blocks()], []))

test('a text that is not ASCII is a broken belief: the copied tables have none', () => {
  assert.throws(() => new CopyText().field('\u00e9'), InvariantError)
})

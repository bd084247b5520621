import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError } from '@booktape/market'
import fc from 'fast-check'
import { arrayText, quoted } from './array-text.ts'
import { CopyText } from './copy-text.ts'
import { MAX_STATEMENT_LENGTH, MAX_STATEMENT_ROWS } from './statement-blocks.ts'

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
        copy.endRow()
      }
      const blocks = [...copy.blocks()]
      assert.equal(blocks.length, 1)
      assert.deepEqual(blocks[0]?.columns, [
        rows.map(({ plain }) => plain.toString()),
        rows.map(({ text }) => quoted(text)),
        rows.map(() => 'NULL'),
        rows.map(({ numbers }) => `"${'u'.repeat(numbers.length)}"`),
        rows.map(({ numbers }) => `"${arrayText(numbers.map(String))}"`),
      ])
    }),
  )
})

test('a row is a line, and fields are set apart by commas', () => {
  const copy = new CopyText()
  for (const field of ['1', 'NULL', '"a"']) copy.field(field)
  copy.endRow()
  const [block] = [...copy.blocks()]
  assert.equal(Buffer.from(block?.text ?? []).toString(), '1,NULL,"a"\n')
  assert.equal(copy.length, 11)
})

test('blocks are cut at the limits of a statement, and hold every row once', () => {
  const many = new CopyText()
  for (let i = 0; i < MAX_STATEMENT_ROWS * 2 + 1; i++) {
    many.field(String(i))
    many.endRow()
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
    long.endRow()
  }
  assert.deepEqual(
    [...long.blocks()].map(({ rows }) => rows),
    [1, 1, 1],
  )
})

test('no rows are no block', () => assert.deepEqual([...new CopyText().blocks()], []))

test('a text that is not ASCII is a broken belief: the copied tables have none', () => {
  assert.throws(() => new CopyText().field('\u00e9'), InvariantError)
})

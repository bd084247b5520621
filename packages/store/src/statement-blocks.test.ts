import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_STATEMENT_LENGTH, MAX_STATEMENT_ROWS, parametersOf, statementBlocks } from './statement-blocks.ts'

const rowsIn = (columns: Record<string, string[]>) => [...statementBlocks(columns)].map((block) => block.rows)

test('no rows make no block', () => assert.deepEqual(rowsIn({ id: [], name: [] }), []))

test('a block has one array text a column', () => {
  const blocks = [...statementBlocks({ id: ['1', '2'], name: ['"a"', 'NULL'] })]
  assert.deepEqual(blocks.map(parametersOf), [['{1,2}', '{"a",NULL}']])
})

test(`a block ends after ${MAX_STATEMENT_ROWS} rows, and the next goes on`, () => {
  const id = Array.from({ length: MAX_STATEMENT_ROWS + 1 }, (_, i) => i.toString())
  const blocks = [...statementBlocks({ id })]
  assert.deepEqual(
    blocks.map((block) => block.rows),
    [20_000, 1],
  )
  assert.deepEqual(blocks[1]?.columns, [['20000']])
})

test('a block ends before it is too long', () => {
  const half = 'x'.repeat(MAX_STATEMENT_LENGTH / 2)
  assert.deepEqual(rowsIn({ name: [half, half, 'x'] }), [2, 1])
})

test('a row that is itself too long goes alone', () => {
  const long = 'x'.repeat(MAX_STATEMENT_LENGTH + 1)
  assert.deepEqual(rowsIn({ name: ['a', long, 'b'] }), [1, 1, 1])
})

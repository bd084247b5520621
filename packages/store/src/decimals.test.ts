import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DecimalText, MAX_FRACTION_DIGITS, MAX_INTEGER_DIGITS } from '@booktape/market'
import fc from 'fast-check'
import { batchOf, bookMessage, decimal, openStore, registeredWriter, trade } from './writer.fixture.ts'

/** How many values go through; a long run sets BOOKTAPE_DECIMALS=1000000. */
const VALUES = Number(process.env['BOOKTAPE_DECIMALS'] ?? 100_000)
const VALUES_A_BATCH = 10_000

const digits = (maxLength: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength }).map((list) => list.join(''))

/** All of what `readDecimal` accepts: up to 18 digits on each side of the point, in any spelling it allows. */
const decimals: fc.Arbitrary<DecimalText> = fc
  .tuple(digits(MAX_INTEGER_DIGITS), fc.option(digits(MAX_FRACTION_DIGITS)))
  .map(([whole, fraction]) => decimal(whole.replace(/^0+(?=\d)/, '') + (fraction === null ? '' : `.${fraction}`)))

test(`${VALUES} decimals come back from Postgres as they went`, async (t) => {
  const { database } = await openStore(t)
  const writer = await registeredWriter(database)
  let position = 0
  const throughPostgres = async (values: DecimalText[]) => {
    // One value in a numeric column (a trade's quantity), all of them in numeric[] (a message's prices).
    const changes = values.map((price) => ({ side: 'bid', price, quantity: price, reason: null }) as const)
    const records = [
      bookMessage(position + 1, { changes }),
      ...values.map((quantity, i) => trade(BigInt(position * VALUES_A_BATCH + i), { quantity })),
    ]
    const result = await writer.write({ ...batchOf([]), fromPosition: position, toPosition: position + 1, records })
    assert.equal(result.outcome, 'committed')
    const arrays = await database.pool.query<{ prices: string[]; quantities: string[] }>(
      'select prices, quantities from booktape.book_messages where message_seq = $1',
      [position + 1],
    )
    assert.deepEqual(arrays.rows, [{ prices: values, quantities: values }])
    const single = await database.pool.query<{ quantity: string }>(
      'select quantity from booktape.trades where trade_id >= $1 and trade_id < $2 order by trade_id',
      [position * VALUES_A_BATCH, (position + 1) * VALUES_A_BATCH],
    )
    assert.deepEqual(
      single.rows.map((row) => row.quantity),
      values,
    )
    position++
  }
  const batches = fc.array(decimals, { minLength: VALUES_A_BATCH, maxLength: VALUES_A_BATCH, size: 'max' })
  await fc.assert(fc.asyncProperty(batches, throughPostgres), {
    numRuns: Math.ceil(VALUES / VALUES_A_BATCH),
    endOnFailure: true, // shrinking ten thousand values would take longer than reading the difference
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from './database.ts'
import { readStatus } from './status-read.ts'
import { openStore } from './writer.fixture.ts'

for (const [sql, expected] of [
  ['9223372036854775807::int8', 9_223_372_036_854_775_807n],
  ["'{9007199254740993,NULL}'::int8[]", [9_007_199_254_740_993n, null]],
  ['4105123935484.817624::numeric', '4105123935484.817624'],
  ["'{0.000000001,9000000000000}'::numeric[]", ['0.000000001', '9000000000000']],
  ["'2026-07-29T08:00:00.123456Z'::timestamptz at time zone 'UTC'", '2026-07-29 08:00:00.123456'],
  ["array['2026-07-29T08:00:00.000001Z'::timestamptz at time zone 'UTC']::text[]", ['2026-07-29 08:00:00.000001']],
  ["date '2026-07-29'", '2026-07-29'],
  ['7::int4', 7],
  ["'\\x00ff'::bytea", Buffer.from([0, 255])],
  ['null::int8', null],
] as const) {
  test(`${sql} is read exactly`, async (t) => {
    const { database } = await openStore(t)
    const { rows } = await database.pool.query<{ value: unknown }>(`select ${sql} as value`)
    assert.deepEqual(rows[0]?.value, expected)
  })
}

for (const through of ['its pool', 'Kysely'] as const) {
  test(`a database that was asked through ${through} keeps no connection once it is closed`, async (t) => {
    const { url } = await openStore(t)
    const database = openDatabase(url, { applicationName: 'booktape test', max: 1 })
    if (through === 'Kysely') await readStatus(database)
    else await database.pool.query('select 1')
    assert.equal(database.pool.totalCount, 1)
    await database.close()
    assert.equal(database.pool.totalCount, 0)
  })
}

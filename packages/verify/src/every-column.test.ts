import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Database } from '@booktape/store'
import { DatabaseError, type PoolClient } from 'pg'
import { afterDamage } from './damage.fixture.ts'
import { storedRecording } from './recording.fixture.ts'

/**
 * Columns that may say anything and nobody is told anything wrong.
 *
 *   settled_days   when an emptied partition may be dropped: it holds no row
 *   thinned_books  how far whole books were thinned: thinning begins again there, and takes away no book that is needed
 */
const HARMLESS = ['settled_days', 'thinned_books']

/** By the table in which they are looked up: their own rows are only numbers of others. */
const COUNTS = 'tallies'

type Column = Readonly<{ table: string; name: string; type: string; isNullable: boolean }>

const COLUMNS = `select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as "isNullable"
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
  where c.relnamespace = 'booktape'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  order by c.relname, a.attnum`

/** Another value of the same type, in SQL. Words of a closed set become another of the set, or the database would refuse them. */
function other({ name, type }: Column): string {
  const words = WORDS[name]
  if (words !== undefined) return `(select w from unnest(array['${words.join("','")}']) w where w <> ${name} limit 1)`
  return (OTHERS[type] ?? assert.fail(`no other ${type}`)).replaceAll('$', name)
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  feed: ['v1', 'ws'],
  stream: ['book', 'trades'],
  state: ['open', 'closed', 'filled', 'unfillable'],
  reason: ['initial', 'interval', 'audit'],
  taker_side: ['buy', 'sell'],
  source: ['v1', 'ws', 'rest'],
  result: ['equal', 'different'],
  name: ['gemini', 'simulated'],
}

const OTHERS: Readonly<Record<string, string>> = {
  uuid: 'gen_random_uuid()',
  text: `coalesce(translate(left($, 1), 'uUa', 'pPb') || substr($, 2) || case when left($, 1) in ('u', 'U', 'a') then '' else 'x' end, 'x')`,
  bigint: 'coalesce($ + 1, 1)',
  integer: 'coalesce($ + 1, 1)',
  boolean: 'not $',
  numeric: 'coalesce($ * 10 + 1, 1)',
  'timestamp with time zone': `coalesce($ + interval '1 microsecond', '2026-07-29 09:00+00')`,
  bytea: 'set_byte($, 0, (get_byte($, 0) + 1) % 256)',
  'bigint[]': 'array[$[1] + 1] || $[2:]',
  'integer[]': 'array[$[1] + 1] || $[2:]',
  'numeric[]': 'array[$[1] + 1] || $[2:]',
}

describe('each row changed is found', () => {
  let database: Database
  let columns: readonly Column[] = []
  const cleanUps: (() => unknown)[] = []

  before(async () => {
    const stored = await storedRecording({ after: (clean: () => unknown) => void cleanUps.push(clean) } as never)
    database = stored.database
    columns = (await database.pool.query<Column>(COLUMNS)).rows
  })
  after(async () => {
    for (const clean of cleanUps) await clean()
  })

  test('every table of the storage is looked at', () => {
    const tables = new Set(columns.map(({ table }) => table))
    assert.equal(
      [...tables].join(' '),
      'audits book_chunks book_messages book_snapshots epochs gaps instruments journals omitted_runs quarantine quotes sessions ' +
        'settled_days tallies thinned_books trades venue',
    )
  })

  // One column of each table at once: a finding of kind `altered` is told of the row itself, so none hides another.
  for (const way of ['another value', 'a value where there was none, or none where there was one'] as const) {
    test(`each column of each table, given ${way}`, async (t) => {
      const tables = Map.groupBy(
        columns.filter(({ table }) => table !== COUNTS && !HARMLESS.includes(table)),
        ({ table }) => table,
      )
      const most = Math.max(...[...tables.values()].map((own) => own.length))
      let changed = 0
      for (let round = 0; round < most; round++) {
        const damaged: Column[] = []
        const { findings } = await afterDamage(database, async (client) => {
          for (const own of tables.values()) {
            const column = own[round]
            if (column !== undefined && (await change(client, column, way, round))) damaged.push(column)
          }
        })
        changed += damaged.length
        for (const { table, name } of damaged) {
          const isFound = findings.some(({ kind, relation }) => kind === 'altered' && relation === table)
          assert.ok(isFound, `${table}.${name} was given ${way}, and nobody noticed`)
        }
      }
      t.diagnostic(`${changed} columns changed`)
    })
  }
})

/** Whether it was done: what a constraint refuses can happen to nobody. */
async function change(client: PoolClient, column: Column, way: string, seed: number): Promise<boolean> {
  const { table, name, type, isNullable } = column
  const isToggled = way !== 'another value'
  if (isToggled && !isNullable) return false
  const value = isToggled ? `case when ${name} is null then ${other(column)} end` : other(column)
  const isFit = type.endsWith('[]')
    ? `${name} is not null and cardinality(${name}) > 0`
    : isToggled
      ? 'true'
      : `${name} is not null`
  await client.query('savepoint undamaged')
  try {
    const { rowCount } = await client.query(
      `update booktape.${table} set ${name} = ${value} where (tableoid, ctid) = (
         select tableoid, ctid from booktape.${table} where ${isFit} order by md5(ctid::text || tableoid::text || $1::text) limit 1)`,
      [String(seed)],
    )
    return rowCount === 1
  } catch (error) {
    if (!(error instanceof DatabaseError) || !['23514', '23505', '23502'].includes(error.code ?? '')) throw error
    await client.query('rollback to savepoint undamaged')
    return false
  }
}

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
 *   trade_reads    what backfill need not ask again: it asks too much or too little, and no gap is closed by that alone
 *   thinned_books  how far whole books were thinned: thinning begins again there, and takes away no book that is needed
 */
const HARMLESS = ['settled_days', 'thinned_books', 'trade_reads']

/** A row that is gone does no harm: retention keeps the day, and the next `booktape archive` notes it again. */
const HARMLESS_WHEN_GONE = ['archived_days']

/** By the table in which they are looked up: their own rows are only numbers of others. */
const COUNTS = 'tallies'

type Column = Readonly<{ table: string; name: string; type: string; isNullable: boolean; isKey: boolean }>

const COLUMNS = `select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as "isNullable",
    a.attnum = any (k.indkey) as "isKey"
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
  join pg_index k on k.indrelid = c.oid and k.indisprimary
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
  manifest: ['c'.repeat(64)],
}

const OTHERS: Readonly<Record<string, string>> = {
  uuid: 'gen_random_uuid()',
  date: '$ + 100',
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
      'archived_days audits book_chunks book_messages book_snapshots epochs gaps instruments journals omitted_runs quarantine quotes ' +
        'sessions settled_days tallies thinned_books trade_reads trades venue',
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

  test('a row of each table deleted', async () => {
    for (const { table } of uniqueTables().filter((one) => !HARMLESS_WHEN_GONE.includes(one.table))) {
      const { findings } = await afterDamage(database, (client) =>
        client.query(`delete from booktape.${table} where ${oneOf(table, 0)}`),
      )
      assert.ok(
        findings.some(({ kind }) => kind === (table === COUNTS ? 'surplus' : 'missing')),
        `a row of ${table} was deleted, and nobody noticed`,
      )
    }
  })

  test('a row of each table stored a second time, under another key', async () => {
    for (const { table, key } of uniqueTables()) {
      // A count of a relation that does not exist tells nothing wrong of any other; a chunk that ends before it begins is refused.
      const column = key.find(({ name, type }) => type !== 'boolean' && !['relation', 'received_from'].includes(name))
      if (column === undefined) continue // the venue has one row, and cannot have another
      const copy = `insert into booktape.${table} select (jsonb_populate_record(r, jsonb_build_object($1::text, ${another(column)}))).*
        from booktape.${table} r where ${oneOf(table, 0)}`
      const { findings } = await afterDamage(database, (client) => client.query(copy, [column.name]))
      const isFound = findings.some(
        ({ kind, relation }) => table === COUNTS || (kind === 'altered' && relation === table),
      )
      assert.ok(findings.length > 0 && isFound, `a row of ${table} was stored a second time, and nobody noticed`)
    }
  })

  test('two rows of each table with each other\u2019s content', async () => {
    for (const { table, key } of uniqueTables()) {
      const own = columns.filter((column) => column.table === table && !key.some(({ name }) => name === column.name))
      // A chunk that ends before it begins is refused.
      const names = own.map(({ name }) => name).filter((name) => !['received_to', 'last_seq'].includes(name))
      const { rows } = await database.pool.query<{ a: string; b: string }>(
        `select a.tableoid || ' ' || a.ctid as a, b.tableoid || ' ' || b.ctid as b from booktape.${table} a, booktape.${table} b
         where (${names.map((name) => `a.${name}`).join()}) is distinct from (${names.map((name) => `b.${name}`).join()}) limit 1`,
      )
      const [pair] = rows
      if (pair === undefined) continue // one row, or none that differs
      const exchange = `update booktape.${table} a set ${names.map((name) => `${name} = b.${name}`).join()} from booktape.${table} b
        where (a.tableoid || ' ' || a.ctid, b.tableoid || ' ' || b.ctid) in (($1, $2), ($2, $1))`
      const { findings } = await afterDamage(database, async (client) => {
        assert.equal((await client.query(exchange, [pair.a, pair.b])).rowCount, 2)
      })
      const isFound = findings.some(
        ({ kind, relation }) => table === COUNTS || (kind === 'altered' && relation === table),
      )
      assert.ok(findings.length > 0 && isFound, `two rows of ${table} exchanged their content, and nobody noticed`)
    }
  })

  test('each column of a count', async () => {
    for (const column of columns.filter(({ table }) => table === COUNTS)) {
      const { findings } = await afterDamage(database, async (client) => {
        // Where there is a count of the other feed already, another row is taken.
        for (let seed = 0; !(await change(client, column, 'another value', seed)); seed++) assert.ok(seed < 10)
      })
      assert.ok(findings.length > 0, `${COUNTS}.${column.name} was changed, and nobody noticed`)
    }
  })

  /** Tables with what their rows are known by. */
  function uniqueTables(): readonly Readonly<{ table: string; key: readonly Column[] }>[] {
    const tables = [...new Set(columns.map(({ table }) => table))].filter((table) => !HARMLESS.includes(table))
    return tables.map((table) => ({ table, key: columns.filter((column) => column.table === table && column.isKey) }))
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
      `update booktape.${table} set ${name} = ${value} where ${oneOf(table, seed, isFit)}`,
    )
    return rowCount === 1
  } catch (error) {
    if (!(error instanceof DatabaseError) || !['23514', '23505', '23502'].includes(error.code ?? '')) throw error
    await client.query('rollback to savepoint undamaged')
    return false
  }
}

/** SQL: one row of a table, another for each seed. */
function oneOf(table: string, seed: number, condition = 'true'): string {
  return `(tableoid, ctid) = (
    select tableoid, ctid from booktape.${table} where ${condition} order by md5(ctid::text || tableoid::text || '${seed}') limit 1)`
}

/** Another value for a column of a key, as JSON. */
function another({ name, type }: Column): string {
  if (type === 'uuid') return 'gen_random_uuid()'
  if (type === 'date') return `r.${name} + 100`
  if (type === 'bigint') return `r.${name} + 1000000`
  return type === 'text' ? `'dogeusd'` : `r.${name} + interval '1 second'`
}

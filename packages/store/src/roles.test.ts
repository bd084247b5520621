import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import type { MarketRecord } from '@booktape/market'
import { type TemporaryDatabase, temporaryDatabase } from '@booktape/testkit'
import { Client, DatabaseError } from 'pg'
import { readCoverage } from './coverage-read.ts'
import { type Database, openDatabase } from './database.ts'
import { migrate, pendingMigrations } from './migrate.ts'
import { defaultPartitionRows, ensurePartitions } from './partitions.ts'
import { settle } from './settle.ts'
import { readStatus } from './status-read.ts'
import { missingTrades, storeTradePage } from './trade-reads.ts'
import { claimVenue } from './venue-stamp.ts'
import { AT, batchOf, bookMessage, DAY, decimal, EPOCH, instrument, origin, SESSION, trade } from './writer.fixture.ts'
import { Writer } from './writer.ts'

const ROLES = await readFile(new URL('../../../deploy/postgres/roles.sql', import.meta.url), 'utf8')
const ROLE_NAMES = ['booktape_migrator', 'booktape_recorder'] as const

describe('the roles of deploy/postgres/roles.sql', () => {
  let temporary: TemporaryDatabase
  let admin: Client
  let recorder: Database
  let reader: Client
  const readerLogin = `reader_${randomBytes(6).toString('hex')}`
  const urls: Record<string, string> = {}
  const notices: string[] = []

  before(async () => {
    temporary = await temporaryDatabase()
    admin = new Client({ connectionString: temporary.url })
    admin.on('notice', (notice) => notices.push(notice.message ?? ''))
    await admin.connect()
    await admin.query(ROLES)
    for (const role of ROLE_NAMES) urls[role] = await signIn(role, `alter role ${role} password`)
    urls['reader'] = await signIn(readerLogin, `create role ${readerLogin} login in role booktape_reader password`)
    await migrate(urlOf('booktape_migrator'))
    await admin.query(ROLES)
    recorder = openDatabase(urlOf('booktape_recorder'), { applicationName: 'booktape test', max: 3 })
    reader = new Client({ connectionString: urlOf('reader') })
    await reader.connect()
  })

  after(async () => {
    await reader.end()
    await recorder.close()
    await admin.query(`drop role ${readerLogin}`)
    await admin.end()
    await temporary.close()
  })

  async function signIn(role: string, statement: string): Promise<string> {
    const password = randomBytes(12).toString('hex')
    await admin.query(`${statement} '${password}'`)
    const url = new URL(temporary.url)
    url.username = role
    url.password = password
    return url.href
  }

  function urlOf(role: string): string {
    const url = urls[role]
    assert.ok(url !== undefined)
    return url
  }

  test('on an empty database it says what comes next', () => {
    assert.deepEqual(
      notices.filter((notice) => notice.startsWith('the roles')),
      ['the roles are there; next: "booktape migrate" as booktape_migrator, then this file again'],
    )
  })

  test('everything belongs to the migrator', async () => {
    const { rows } = await admin.query(
      `select relname from pg_class where relnamespace in ('booktape'::regnamespace, 'market'::regnamespace)
         and relowner <> 'booktape_migrator'::regrole
       union all select nspname from pg_namespace where nspname in ('booktape', 'market') and nspowner <> 'booktape_migrator'::regrole`,
    )
    assert.deepEqual(rows, [])
  })

  test('the recorder claims the venue, makes partitions, stores every kind of record and changes what may change', async () => {
    assert.deepEqual(await pendingMigrations(recorder.pool), [])
    assert.equal(await claimVenue(recorder, 'simulated'), 'claimed')
    assert.equal(await claimVenue(recorder, 'simulated'), 'same')
    assert.equal(await ensurePartitions(recorder, DAY), 32)
    const writer = new Writer(recorder, origin('first'))
    assert.equal(await writer.readPosition(), 0)
    const first = await writer.write(batchOf(BEGINNINGS))
    assert.equal(first.outcome, 'committed')
    const again = await writer.write(batchOf(ENDS, BEGINNINGS.length))
    assert.equal(again.outcome, 'committed')
    assert.deepEqual(again.outcome === 'committed' ? again.conflicts.map((conflict) => conflict.tradeId) : [], [2n])
    assert.deepEqual(await defaultPartitionRows(recorder), {
      book_messages: 1n,
      book_chunks: 0n,
      book_snapshots: 0n,
      quotes: 0n,
    })
    const { rows } = await reader.query(
      `select (select count(*) from market.sessions where close_code = 1000)::int as closed,
              (select count(*) from market.epochs where end_reason = 'sequence')::int as ended,
              (select array_agg(state order by cause) from market.gaps) as gaps,
              (select count(*) from market.trades where broken)::int as broken,
              (select count(*) from market.instruments where valid_to is not null)::int as superseded,
              (select count(*) from booktape.book_messages)::int as messages,
              (select count(*) from market.audits)::int as audits,
              (select count(*) from market.quarantine)::int as quarantine`,
    )
    assert.deepEqual(rows, [
      {
        closed: 1,
        ended: 1,
        gaps: ['filled'],
        broken: 1,
        superseded: 1,
        messages: MANY + 2,
        audits: 1,
        quarantine: 1,
      },
    ])
  })

  test('the recorder sets a refused row aside and tells when the book is known again', async () => {
    const writer = new Writer(recorder, origin('refused', 'r'))
    await writer.readPosition()
    await admin.query(`alter table booktape.book_messages add constraint poison check (line <> 'r') not valid`)
    const missing = bookMessage(7, { receivedTimeNs: AT + 1_000_000_000n })
    const first = await writer.write(batchOf([missing, trade(7n)]))
    await admin.query('alter table booktape.book_messages drop constraint poison')
    assert.deepEqual(first.outcome === 'committed' ? first.poison.map(({ table }) => table) : first, ['book_messages'])
    const gaps = `select state, from_id, to_id from market.gaps where cause = 'unstorable'`
    assert.deepEqual((await reader.query(gaps)).rows, [{ state: 'open', from_id: '6', to_id: null }])
    const whole = BEGINNINGS.find((record) => record.kind === 'book_snapshot')
    assert.ok(whole !== undefined)
    const known = {
      ...whole,
      messageSeq: 8,
      updateId: 8n,
      reason: 'interval' as const,
      receivedTimeNs: missing.receivedTimeNs,
    }
    assert.equal((await writer.write(batchOf([known], 2))).outcome, 'committed')
    assert.deepEqual((await reader.query(gaps)).rows, [{ state: 'closed', from_id: '6', to_id: '8' }])
  })

  test('the recorder stores what a backfill reads, and fills a gap that was given up', async () => {
    const gapId = '00000000-0000-4000-8000-000000000003'
    const writer = new Writer(recorder, origin('given up'))
    await writer.readPosition()
    const lost = [
      { kind: 'gap_opened', gapId, stream: 'trades', fromId: 1n, cause: 'connect', ...place },
      { kind: 'gap_closed', gapId, toId: null, receivedTimeNs: AT },
      { kind: 'gap_settled', gapId, state: 'unfillable', receivedTimeNs: AT },
    ] as const
    assert.equal((await writer.write(batchOf(lost))).outcome, 'committed')
    const { holes } = await missingTrades(recorder, 'btcusd', '2026-07-29T07:00:00Z', '2026-07-29T09:00:00Z')
    assert.deepEqual(
      holes.map((hole) => [hole.gapId, hole.state, hole.anchorId]),
      [[gapId, 'unfillable', 1n]],
    )
    const page = { symbol: 'btcusd', trades: [trade(3n, { source: 'rest' })], filled: [gapId] }
    const read = { fromNs: AT, untilNs: AT, firstId: 3n, lastId: 3n }
    for (const added of [1, 0]) {
      const stored = await storeTradePage(recorder, { ...page, read })
      assert.deepEqual(stored, { outcome: 'committed', added, conflicts: [], filled: added === 1 ? [gapId] : [] })
    }
  })

  test('the recorder reads the coverage that its status page shows', async () => {
    const fromMs = Date.parse('2026-07-29T07:00:00Z')
    const books = [{ symbol: 'btcusd', feed: 'ws' }]
    const asked = { books, fromMs, toMs: fromMs + 60_000, timeoutMs: 10_000 }
    assert.deepEqual((await readCoverage(recorder, asked)).uncovered, [
      { symbol: 'btcusd', feed: 'ws', state: 'off', fromMs, toMs: fromMs + 60_000 },
    ])
  })

  test('the recorder has exactly these rights on tables', async () => {
    const { rows } = await admin.query<{ right: string }>(
      `select coalesce(column_name || ' of ', '') || relation || ': ' || rights as right from (${RIGHTS}) given
       where role = 'booktape_recorder' order by relation, column_name nulls first`,
    )
    assert.deepEqual(
      rows.map((row) => row.right),
      RECORDER_RIGHTS,
    )
  })

  for (const statement of [
    'update booktape.trades set price = 1',
    'update booktape.trades set quantity = 0',
    'update booktape.gaps set from_id = 0',
    'update booktape.gaps set cause = $$stopped$$',
    'update booktape.epochs set started_at = now()',
    "update booktape.venue set name = 'gemini'",
    'delete from booktape.venue',
    'delete from booktape.trades',
    'delete from booktape.book_messages',
    'delete from booktape.book_chunks',
    'insert into booktape.book_chunks select * from booktape.book_chunks',
    'delete from booktape.settled_days',
    'delete from booktape.epochs',
    'update booktape.book_messages set prices = $${}$$',
    'update booktape.quotes set bid_price = 1',
    'update booktape.quotes set checksum = 1',
    'delete from booktape.tallies',
    'select * from booktape.book_messages',
    'select * from market.trades',
    'select * from account.instant_quotes',
    'select * from market.instant_quotes',
    'truncate booktape.trades',
    'drop table booktape.quarantine',
    'drop schema booktape cascade',
    'alter table booktape.trades drop constraint trades_pkey',
    'alter table booktape.trades disable trigger all',
    'create table booktape.mine (id bigint)',
    'create table public.mine (id bigint)',
    'create temporary table mine (id bigint)',
    'create schema mine',
    'create table booktape.mine partition of booktape.quotes for values from ($$2030-01-01$$) to ($$2030-01-02$$)',
    `create function booktape.make_partitions(text, integer) returns integer language sql as 'select 1'`,
    'create role mine',
    'grant booktape_migrator to booktape_recorder',
    'set role booktape_migrator',
    'delete from public.booktape_migrations',
    `copy booktape.trades to program 'cat'`,
    `select pg_read_file('postgresql.conf')`,
  ]) {
    test(`the recorder may not ${statement}`, async () => {
      await assert.rejects(recorder.pool.query(statement), isRefused)
    })
  }

  test('the archiver reads as a reader does, and beside has exactly these rights', async () => {
    const { rows } = await admin.query<{ right: string }>(
      `select coalesce(column_name || ' of ', '') || relation || ': ' || rights as right from (${RIGHTS}) given
       where role = 'booktape_archiver' order by relation, column_name nulls first`,
    )
    assert.deepEqual(
      rows.map((row) => row.right),
      [
        'archived_days: delete insert',
        'checksum of archived_days: update',
        'manifest of archived_days: update',
        'place of archived_days: update',
        'verified_at of archived_days: update',
        'proven_epochs: select',
      ],
    )
    const { rows: roles } = await admin.query<{ name: string }>(
      `select roleid::regrole::text as name from pg_auth_members where member = 'booktape_archiver'::regrole`,
    )
    assert.deepEqual(roles, [{ name: 'booktape_reader' }])
  })

  for (const statement of [
    'select * from account.instant_quotes',
    'select account.answer_quotes(1)',
    'insert into booktape.quarantine select * from booktape.quarantine',
    'update booktape.gaps set state = $$filled$$',
    'delete from booktape.gaps',
    'truncate booktape.trades',
    'create table market.mine (id bigint)',
    'create temporary table mine (id bigint)',
    'set role booktape_migrator',
    'set role booktape_recorder',
    "select booktape.make_partitions('2026-01-01', 1)",
    "select booktape.settle('btcusd', now(), 1)",
    "select booktape.drop_emptied('2026-01-01')",
  ]) {
    test(`a reader may not ${statement}`, async () => {
      await assert.rejects(reader.query(statement), isRefused)
    })
  }

  test('a reader sees the status, every view and every function', async () => {
    const database = openDatabase(urlOf('reader'), { applicationName: 'booktape test', max: 1 })
    try {
      const { feeds } = await readStatus(database)
      assert.deepEqual(
        feeds.map((feed) => [feed.symbol, feed.feed]),
        [['btcusd', 'ws']],
      )
    } finally {
      await database.close()
    }
    const { rows: views } = await reader.query<{ name: string }>(
      `select viewname as name from pg_views where schemaname = 'market'`,
    )
    assert.equal(views.length, 11)
    for (const { name } of views) await reader.query(`select * from market.${name}`)
    for (const call of [
      "bars('btcusd', '1 minute', '2026-07-29 08:00+00', '2026-07-29 08:05+00')",
      "coverage('btcusd', 'ws', '2026-07-29 08:00+00', '2026-07-29 08:05+00')",
      "changes_between('btcusd', '2026-07-29 08:00:00.123456+00', '2026-07-29 08:00:00.123456+00')",
      "top_of_book_at('btcusd', '2026-07-29 08:00:00.123456+00')",
      `book_at_update('btcusd', '${EPOCH}', 1)`,
    ]) {
      await reader.query(`select * from market.${call}`)
    }
  })

  test('the recorder settles messages, and readers see what they saw', async () => {
    const seen = `select md5(string_agg(c::text, ';' order by message_seq, change_index)) as digest, count(*)::int as count
      from market.book_changes c`
    const { rows: expected } = await reader.query(seen)
    const settled = await settle(recorder, '2031-01-01', new AbortController().signal, { before: '2031-01-01' })
    assert.deepEqual([settled.messages, settled.changes], [252n, 252n])
    assert.deepEqual((await reader.query(seen)).rows, expected)
    assert.deepEqual(await defaultPartitionRows(recorder), {
      book_messages: 0n,
      book_chunks: 0n,
      book_snapshots: 0n,
      quotes: 0n,
    })
  })

  test('partitions are made only where the function says, whatever the search path of the recorder', async () => {
    const client = await recorder.pool.connect()
    try {
      await client.query('begin; set local search_path = public, pg_temp, booktape')
      const made = await client.query<{ made: number }>(`select booktape.make_partitions('2031-05-01', 1) as made`)
      assert.equal(made.rows[0]?.made, 4)
      await client.query('commit')
    } finally {
      client.release()
    }
    const { rows } = await admin.query(
      `select relnamespace::regnamespace || '.' || relname as name, r.rolname as owner from pg_class c join pg_roles r on r.oid = c.relowner
       where relname like '%_20310501' order by 1`,
    )
    assert.deepEqual(rows, [
      { name: 'booktape.book_chunks_20310501', owner: 'booktape_migrator' },
      { name: 'booktape.book_messages_20310501', owner: 'booktape_migrator' },
      { name: 'booktape.book_snapshots_20310501', owner: 'booktape_migrator' },
      { name: 'booktape.quotes_20310501', owner: 'booktape_migrator' },
    ])
  })

  test('Grafana of deploy/compose.yaml has the limits that SECURITY.md names', async () => {
    assert.deepEqual(await limitsOf('deploy/postgres/grafana.sql'), await limitsOf('SECURITY.md'))
  })

  test('a login with the limits SECURITY.md names is stopped when its query runs on, and cannot write', async () => {
    const limited = `limited_${randomBytes(6).toString('hex')}`
    const url = await signIn(limited, `create role ${limited} login in role booktape_reader password`)
    for (const setting of await limitsOf('SECURITY.md')) await admin.query(setting.replaceAll('grafana', limited))
    await admin.query(`alter role ${limited} set statement_timeout = '50ms'`)
    const client = new Client({ connectionString: url })
    await client.connect()
    try {
      await assert.rejects(
        client.query('select count(*) from generate_series(1, 1e12)'),
        (error) => error instanceof DatabaseError && error.code === '57014',
      )
      await assert.rejects(
        client.query('select booktape.make_partitions(current_date, 1)'),
        (error) => error instanceof DatabaseError && ['42501', '25006'].includes(error.code ?? ''),
      )
      const { rows } = await client.query<{ read_only: string }>('show default_transaction_read_only')
      assert.deepEqual(rows, [{ default_transaction_read_only: 'on' }])
    } finally {
      await client.end()
      await admin.query(`drop role ${limited}`)
    }
  })

  test('a database that takes no more connections of the recorder is waited for', async () => {
    const name = new URL(temporary.url).pathname.slice(1)
    await admin.query(`alter database ${name} connection limit 0`)
    const late = openDatabase(urlOf('booktape_recorder'), { applicationName: 'booktape test', max: 1 })
    try {
      const result = await new Writer(late, origin('late')).write(batchOf([trade(1n)]))
      assert.deepEqual(
        [result.outcome, result.outcome === 'retry' ? result.class : null],
        ['retry', 'too_many_clients'],
      )
    } finally {
      await late.close()
      await admin.query(`alter database ${name} connection limit -1`)
    }
  })

  test('run again after everything it changes nothing', async () => {
    const { rows: standing } = await admin.query(RIGHTS)
    await admin.query(ROLES)
    assert.deepEqual((await admin.query(RIGHTS)).rows, standing)
  })
})

test('a database that another user migrated is handed over', async (t) => {
  const temporary = await temporaryDatabase()
  await migrate(temporary.url)
  const admin = new Client({ connectionString: temporary.url })
  await admin.connect()
  t.after(async () => {
    await admin.end()
    await temporary.close()
  })
  await admin.query(ROLES)
  const { rows } = await admin.query(
    `select distinct r.rolname from pg_class c join pg_roles r on r.oid = c.relowner
     where relnamespace in ('booktape'::regnamespace, 'market'::regnamespace) or c.oid = 'public.booktape_migrations'::regclass`,
  )
  assert.deepEqual(rows, [{ rolname: 'booktape_migrator' }])
})

const isRefused = (error: unknown): boolean => error instanceof DatabaseError && error.code === '42501'

/** The `alter role` lines of a document, as an administrator would copy them. */
async function limitsOf(document: string): Promise<string[]> {
  const text = await readFile(new URL(`../../../${document}`, import.meta.url), 'utf8')
  const found = text.split('\n').filter((line) => line.startsWith('alter role grafana set '))
  assert.equal(found.length, 3)
  return found
}

/** Enough for COPY, and one more on a day without a partition. */
const MANY = 250
const GAP = '00000000-0000-4000-8000-000000000001'
const EMPTY_GAP = '00000000-0000-4000-8000-000000000002'
const top = { bidPrice: decimal('1'), bidQuantity: decimal('2'), askPrice: null, askQuantity: null }
const place = { symbol: 'btcusd', feed: 'ws', receivedTimeNs: AT } as const

const BEGINNINGS: readonly MarketRecord[] = [
  { kind: 'session_opened', sessionId: SESSION, feed: 'ws', url: 'wss://ws.gemini.com', receivedTimeNs: AT },
  { kind: 'epoch_started', epochId: EPOCH, sessionId: SESSION, firstUpdateId: 1n, ...place },
  {
    kind: 'book_snapshot',
    epochId: EPOCH,
    messageSeq: 0,
    updateId: 1n,
    eventTimeNs: null,
    reason: 'initial',
    bidPrices: [decimal('1')],
    bidQuantities: [decimal('2')],
    askPrices: [],
    askQuantities: [],
    digest: 'ab'.repeat(32),
    ...place,
  },
  ...Array.from({ length: MANY }, (_, i) => bookMessage(i + 1)),
  bookMessage(MANY + 1),
  bookMessage(MANY + 2, { receivedTimeNs: AT - 86_400_000_000_000n }),
  { kind: 'quote', epochId: EPOCH, sessionId: SESSION, messageSeq: 1, updateId: 1n, eventTimeNs: null, top, ...place },
  trade(1n),
  trade(2n),
  { kind: 'instrument', instrument: instrument(), receivedTimeNs: AT },
  { kind: 'gap_opened', gapId: GAP, stream: 'trades', fromId: 1n, cause: 'disconnect', ...place },
  { kind: 'gap_opened', gapId: EMPTY_GAP, stream: 'book', fromId: 1n, cause: 'liveness', ...place },
]

const ENDS: readonly MarketRecord[] = [
  trade(1n, { broken: true }),
  trade(2n, { quantity: decimal('0.02') }),
  { kind: 'instrument', instrument: instrument({ status: 'closed' }), receivedTimeNs: AT + 1_000_000n },
  { kind: 'gap_closed', gapId: GAP, toId: 2n, receivedTimeNs: AT },
  { kind: 'gap_settled', gapId: GAP, state: 'filled', receivedTimeNs: AT },
  { kind: 'gap_withdrawn', gapId: EMPTY_GAP, receivedTimeNs: AT },
  {
    kind: 'audit',
    method: 'depth',
    updateId: 2n,
    levelsCompared: 2,
    levelsDifferent: 0,
    result: 'equal',
    ...place,
  },
  {
    kind: 'quarantine',
    sessionId: SESSION,
    messageSeq: 9,
    reason: 'MALFORMED_JSON: x',
    payload: Buffer.from('{'),
    ...place,
  },
  { kind: 'epoch_ended', epochId: EPOCH, lastUpdateId: 2n, reason: 'sequence', receivedTimeNs: AT },
  { kind: 'session_closed', sessionId: SESSION, code: 1000, reason: 'bye', receivedTimeNs: AT },
]

/** What is granted to whom, on whole tables and on columns of them. */
const RIGHTS = `select g.grantee::regrole::text as role, c.relname as relation, held.attname as column_name,
    string_agg(lower(g.privilege_type), ' ' order by g.privilege_type) as rights
  from pg_class c
  cross join lateral (
    select null::name as attname, c.relacl as acl
    union all select attname, attacl from pg_attribute where attrelid = c.oid and attacl is not null) held
  cross join lateral aclexplode(held.acl) g
  where c.relnamespace::regnamespace::text in ('booktape', 'market', 'public') and g.grantee <> c.relowner
  group by 1, c.relnamespace, 2, 3 order by 1, c.relnamespace, 2, 3`

const RECORDER_RIGHTS = [
  'audits: insert',
  'audited_at of audits: select',
  'checksum of audits: select',
  'feed of audits: select',
  'line of audits: select',
  'symbol of audits: select',
  'epoch_id of book_chunks: select',
  'last_update_id of book_chunks: select',
  'received_from of book_chunks: select',
  'received_to of book_chunks: select',
  'book_chunks_default: select',
  'book_messages: insert',
  'checksum of book_messages: select',
  'epoch_id of book_messages: select',
  'feed of book_messages: select',
  'line of book_messages: select',
  'received_time of book_messages: select',
  'symbol of book_messages: select',
  'update_id of book_messages: select',
  'book_messages_default: select',
  'book_snapshots: insert',
  'checksum of book_snapshots: select',
  'feed of book_snapshots: select',
  'line of book_snapshots: select',
  'received_time of book_snapshots: select',
  'symbol of book_snapshots: select',
  'book_snapshots_default: select',
  'booktape_migrations: select',
  'epochs: insert select',
  'checksum of epochs: update',
  'end_reason of epochs: update',
  'ended_at of epochs: update',
  'last_update_id of epochs: update',
  'gaps: delete insert select',
  'checksum of gaps: update',
  'ended_at of gaps: update',
  'state of gaps: update',
  'to_id of gaps: update',
  'instruments: insert select',
  'checksum of instruments: update',
  'valid_to of instruments: update',
  'journals: select',
  'checksum of journals: insert update',
  'journal_id of journals: insert',
  'line of journals: insert',
  'recorded_until of journals: update',
  'shard of journals: insert',
  'written_position of journals: update',
  'known_epochs: select',
  'quarantine: insert',
  'checksum of quarantine: select',
  'feed of quarantine: select',
  'line of quarantine: select',
  'received_time of quarantine: select',
  'symbol of quarantine: select',
  'quotes: insert',
  'checksum of quotes: select',
  'feed of quotes: select',
  'line of quotes: select',
  'received_time of quotes: select',
  'symbol of quotes: select',
  'quotes_default: select',
  'sessions: insert select',
  'checksum of sessions: update',
  'close_code of sessions: update',
  'close_reason of sessions: update',
  'closed_at of sessions: update',
  'tallies: insert select',
  'checksum of tallies: update',
  'row_count of tallies: update',
  'trade_reads: insert select',
  'first_id of trade_reads: update',
  'last_id of trade_reads: update',
  'until_time of trade_reads: update',
  'trades: insert select',
  'broken of trades: update',
  'checksum of trades: update',
  'venue: select',
  'checksum of venue: insert',
  'name of venue: insert',
]

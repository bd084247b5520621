import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Database } from '@booktape/store'
import { afterDamage } from './damage.fixture.ts'
import { storedRecording } from './recording.fixture.ts'

/** One row of a table, always the same. */
const one = (table: string, condition = 'true', order = 'received_time, message_seq'): string =>
  `(tableoid, ctid) = (select tableoid, ctid from booktape.${table} where ${condition} order by ${order} limit 1)`
const MESSAGE = one('book_messages', `feed = 'ws' and line = 'a' and cardinality(prices) > 0`)
const CHUNK = one(
  'book_chunks',
  `line = 'a' and feed = 'ws' and cardinality(seq_steps) > 1`,
  'received_from, first_seq',
)
const BOOK = one('book_snapshots', `line = 'a' and feed = 'ws' and reason = 'initial'`)
const LAST_BOOK = one('book_snapshots', `line = 'a' and feed = 'ws'`, 'received_time desc')
const COPY = (table: string, id: string, value: string, of: string): string =>
  `insert into booktape.${table} select (jsonb_populate_record(r, jsonb_build_object('${id}', ${value}))).* from booktape.${table} r where ${of}`

/** What was done to a recording, and all that is said of it; ids are left out. */
const DAMAGES: readonly (readonly [kind: string, damage: string, ...says: readonly string[]])[] = [
  [
    'a price of a message altered',
    `update booktape.book_messages set prices[1] = prices[1] + 0.01 where ${MESSAGE}`,
    'altered book_messages: message 7 of epoch … (btcusd on ws, line a, 2026-07-29T10:01:30.123457Z): it is not what was written',
  ],
  [
    'a quantity of a settled message altered',
    `update booktape.book_chunks set quantities[2] = quantities[2] + 1 where ${CHUNK}`,
    'altered book_chunks: the chunk of messages 4 to 13 of epoch … (btcusd on ws, line a, 2026-07-29T08:01:30.123456Z): one of them or more is not what was written',
  ],
  [
    'the unit of all prices of a chunk altered',
    `update booktape.book_chunks set price_unit = 0.2 where ${CHUNK}`,
    'altered book_chunks: the chunk of messages 4 to 13 of epoch … (btcusd on ws, line a, 2026-07-29T08:01:30.123456Z): the messages are what was written, and a column that sums them up is not',
  ],
  [
    'a bid turned into an ask',
    `update booktape.book_messages set marks = 'U' || substr(marks, 2) where ${MESSAGE}`,
    'altered book_messages: message 7 of epoch … (btcusd on ws, line a, 2026-07-29T10:01:30.123457Z): it is not what was written',
  ],
  [
    'a message made unreadable',
    `update booktape.book_messages set marks = '?' || substr(marks, 2) where ${MESSAGE}`,
    'altered book_messages: message 7 of epoch … (btcusd on ws, line a, 2026-07-29T10:01:30.123457Z): it makes no message any more',
  ],
  [
    'the receive time of a message moved',
    `update booktape.book_messages set received_time = received_time + interval '1 second' where ${MESSAGE}`,
    'altered book_messages: message 7 of epoch … (btcusd on ws, line a, 2026-07-29T10:01:31.123457Z): received_time is not that of received_time_ns',
  ],
  [
    'a message of the new API deleted',
    `delete from booktape.book_messages where ${MESSAGE}`,
    'broken book_messages: epoch … (btcusd on ws, line a, 2026-07-29T10:02:30.123457Z): message 10 begins at update id 122, where the one before it ends at 121: what lay between is missing, and no gap says so',
    'missing book_messages: the hour of 2026-07-29T10:00Z (btcusd on ws, line a): 59 of the 60 rows that were written are there',
  ],
  [
    'a message of v1 deleted',
    `delete from booktape.book_chunks where ${one('book_chunks', "feed = 'v1'", 'received_from desc, first_seq desc')}`,
    'missing book_messages: the hour of 2026-07-29T09:00Z (ethusd on v1, line a): 16 of the 20 rows that were written are there',
  ],
  [
    'a message stored a second time, under another number',
    COPY('book_messages', 'message_seq', 'r.message_seq + 1', MESSAGE),
    'altered book_messages: message 8 of epoch … (btcusd on ws, line a, 2026-07-29T10:01:30.123457Z): it is not what was written',
    'surplus book_messages: the hour of 2026-07-29T10:00Z (btcusd on ws, line a): 61 rows are there, where 60 were written',
  ],
  [
    'what two messages hold exchanged',
    `update booktape.book_messages m set marks = o.marks, prices = o.prices, quantities = o.quantities, checksum = o.checksum
     from (select epoch_id, message_seq, marks, prices, quantities, checksum, lead(message_seq) over along as next_seq, lag(message_seq) over along as seq_before
       from (select * from booktape.book_messages where feed = 'ws' and line = 'a' and cardinality(prices) > 0 order by message_seq limit 2) two window along as (order by message_seq)) o
     where m.epoch_id = o.epoch_id and m.message_seq = coalesce(o.next_seq, o.seq_before)`,
    'altered book_messages: message 7 of epoch … (btcusd on ws, line a, 2026-07-29T10:01:30.123457Z): it is not what was written',
    'altered book_messages: message 10 of epoch … (btcusd on ws, line a, 2026-07-29T10:02:30.123457Z): it is not what was written',
  ],
  [
    'a chunk deleted',
    `delete from booktape.book_chunks where ${CHUNK}`,
    'broken book_messages: epoch … (btcusd on ws, line a, 2026-07-29T08:05:30.123456Z): message 16 begins at update id 5, where the one before it ends at 1: what lay between is missing, and no gap says so',
    'missing book_messages: the hour of 2026-07-29T08:00Z (btcusd on ws, line a): 55 of the 59 rows that were written are there',
  ],
  [
    'a level of a whole book altered',
    `update booktape.book_snapshots set bid_quantities[1] = 7 where ${BOOK}`,
    'altered book_snapshots: the whole book (initial) after message 1 of epoch … (btcusd on ws, line a, 2026-07-29T08:00:30.123456Z): it is not what was written',
  ],
  [
    'a whole book deleted',
    `delete from booktape.book_snapshots where ${LAST_BOOK}`,
    'missing book_snapshots: the hour of 2026-07-29T10:00Z (btcusd on ws, line a): 2 of the 3 rows that were written are there',
  ],
  [
    'a quote altered',
    `update booktape.quotes set bid_price = bid_price + 1 where ${one('quotes')}`,
    'altered quotes: the quote of message 28 of session … (btcusd on ws, line a, 2026-07-29T08:09:30.123456Z): it is not what was written',
  ],
  [
    'a quote deleted',
    `delete from booktape.quotes where ${one('quotes')}`,
    'missing quotes: the hour of 2026-07-29T08:00Z (btcusd on ws, line a): 5 of the 6 rows that were written are there',
  ],
  [
    'the price of a trade altered',
    'update booktape.trades set price = 100.25 where trade_id = 2',
    'altered trades: trade 2 (btcusd on v1, line a, 2026-07-29T08:19:30.120456Z): it is not what was written',
  ],
  [
    'a trade marked as broken by hand',
    'update booktape.trades set broken = true where trade_id = 2',
    'altered trades: trade 2 (btcusd on v1, line a, 2026-07-29T08:19:30.120456Z): it is not what was written',
  ],
  [
    'a trade deleted',
    'delete from booktape.trades where trade_id = 2',
    'missing trades: the hour of 2026-07-29T08:00Z (btcusd on v1, line a): 1 of the 2 rows that were written are there',
  ],
  [
    'a trade added by hand',
    COPY('trades', 'trade_id', '99', 'r.trade_id = 2'),
    'altered trades: trade 99 (btcusd on v1, line a, 2026-07-29T08:19:30.120456Z): it is not what was written',
    'surplus trades: the hour of 2026-07-29T08:00Z (btcusd on v1, line a): 3 rows are there, where 2 were written',
  ],
  [
    'a gap deleted',
    `delete from booktape.gaps where stream = 'book'`,
    'broken epochs: epoch … (btcusd on ws, line a, 2026-07-29T08:00:30.123456Z): it has ended, and no gap and no epoch says what came after it',
    'missing gaps: the hour of 2026-07-29T09:00Z (btcusd on ws, line a): 0 of the 1 rows that were written are there',
  ],
  [
    'a gap made smaller',
    `update booktape.gaps set to_id = 110 where stream = 'book'`,
    'altered gaps: gap … (btcusd on ws, line a, 2026-07-29T09:39:30.123457Z): it is not what was written',
  ],
  [
    'a gap called filled',
    `update booktape.gaps set state = 'filled' where stream = 'book'`,
    'altered gaps: gap … (btcusd on ws, line a, 2026-07-29T09:39:30.123457Z): it is not what was written',
  ],
  [
    'an epoch deleted',
    `delete from booktape.epochs where ${one('epochs', "line = 'a' and feed = 'ws' and ended_at is not null", 'started_at')}`,
    'broken epochs: epoch … (btcusd on ws, line a): messages or whole books are stored of it, and it is not there itself',
    'missing epochs: the hour of 2026-07-29T08:00Z (btcusd on ws, line a): 0 of the 1 rows that were written are there',
  ],
  [
    'the end of an epoch moved',
    `update booktape.epochs set last_update_id = 99 where ${one('epochs', "line = 'a' and feed = 'ws' and ended_at is not null", 'started_at')}`,
    'altered epochs: epoch … (btcusd on ws, line a, 2026-07-29T08:00:30.123456Z): it is not what was written',
    'broken epochs: epoch … (btcusd on ws, line a): it says that it ended at update id 99, and what is stored of it ends at 100',
  ],
  [
    'a session deleted',
    `delete from booktape.sessions where ${one('sessions', "line = 'a' and feed = 'ws'", 'opened_at')}`,
    'missing epochs: epoch … (btcusd on ws, line a, 2026-07-29T08:00:30.123456Z): its session is not there',
    'missing sessions: the hour of 2026-07-29T08:00Z (ws, line a): 0 of the 1 rows that were written are there',
  ],
  [
    'an audit that found differences turned into a good one',
    `update booktape.audits set result = 'equal', levels_different = 0 where result = 'different'`,
    'altered audits: the audit by rest at 2026-07-29T08:51:30.123457Z (btcusd on ws, line a): it is not what was written',
  ],
  [
    'a message in quarantine emptied',
    `update booktape.quarantine set payload = '' where message_seq = 502`,
    'altered quarantine: message 502 of session … (btcusd on ws, line a, 2026-07-29T09:01:30.123457Z): it is not what was written',
  ],
  [
    'an increment of an instrument altered',
    'update booktape.instruments set price_increment = 1 where valid_to is null',
    'altered instruments: the entry of btcusd (2026-07-29T09:29:30.123457Z): it is not what was written',
  ],
  [
    'how far a journal is stored set back',
    `update booktape.journals set written_position = 1 where line = 'a'`,
    'altered journals: journal …: it is not what was written',
  ],
  [
    'a run that another line keeps made longer',
    'update booktape.omitted_runs set last_seq = last_seq + 3',
    'altered omitted_runs: the run from message 4 of epoch … (btcusd on ws, line b, 2026-07-29T08:01:30.123456Z): it is not what was written',
  ],
  [
    'a count altered',
    `update booktape.tallies set row_count = row_count - 1 where relation = 'audits'`,
    'surplus audits: the hour of 2026-07-29T08:00Z (btcusd on ws, line a): 3 rows are there, where 2 were written',
  ],
  [
    'the venue taken away',
    'delete from booktape.venue',
    'missing venue: the venue: it does not say whose data this is',
  ],
  [
    'all of a table gone',
    'truncate booktape.audits',
    'missing audits: the hour of 2026-07-29T08:00Z (btcusd on ws, line a): 0 of the 3 rows that were written are there',
  ],
]

describe('what verify says of', () => {
  let database: Database
  const cleanUps: (() => unknown)[] = []
  before(async () => {
    database = (await storedRecording({ after: (clean: () => unknown) => void cleanUps.push(clean) } as never)).database
  })
  after(async () => {
    for (const clean of cleanUps) await clean()
  })

  for (const [kind, damage, ...says] of DAMAGES) {
    test(kind, async () => {
      const { findings } = await afterDamage(database, async (client) => {
        assert.ok(
          ((await client.query(damage)).rowCount ?? 1) > 0 || damage.startsWith('truncate'),
          'something was damaged',
        )
      })
      const said = findings.map(({ kind: found, sentence }) => `${found} ${sentence.replaceAll(UUID, '…')}`)
      assert.deepEqual(said, says)
    })
  }
})

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

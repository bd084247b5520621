-- Where rows live. People query schema `market`, whose views and functions the files after this one make; schema `booktape` is storage
-- and may change shape.
--
-- Natural keys everywhere, made from the journal, so that writing the same entry twice changes nothing.
-- Big tables are partitioned by day of receive time, by our clock and not the venue's, so that a wrong exchange time
-- can never name a partition that does not exist.
--
-- Every row has a checksum, by which "booktape verify" finds a row that anybody but its writer has changed, and every row is counted in
-- booktape.tallies, by which it finds one that is gone (docs/verify.md).

create schema booktape;
create schema market;

-- Simulated and real data never share a database: the first recorder writes the venue, every later one must match it.
create table booktape.venue (
  only_row boolean primary key default true check (only_row),
  name text not null check (name in ('gemini', 'gemini-sandbox', 'simulated')),
  checksum bigint not null
);

-- One row a journal: how far its entries are stored. Moved in the same transaction as the rows made from them.
create table booktape.journals (
  journal_id uuid primary key,
  line text not null,
  shard integer not null,
  written_position bigint not null default 0 check (written_position >= 0),
  recorded_until timestamptz, -- receive time of the entry at written_position: what is later is not known yet
  checksum bigint not null
);

create table booktape.sessions (
  session_id uuid primary key,
  journal_id uuid not null,
  line text not null,
  feed text not null check (feed in ('v1', 'ws')),
  url text not null,
  opened_at timestamptz not null,
  closed_at timestamptz,
  close_code integer,
  close_reason text,
  checksum bigint not null
);
create index on booktape.sessions (opened_at);

create table booktape.epochs (
  epoch_id uuid primary key,
  session_id uuid not null,
  journal_id uuid not null,
  line text not null,
  symbol text not null,
  feed text not null check (feed in ('v1', 'ws')),
  started_at timestamptz not null,
  ended_at timestamptz,
  first_update_id bigint not null,
  last_update_id bigint,
  end_reason text,
  checksum bigint not null
);
create index on booktape.epochs (symbol, feed, started_at);
create index on booktape.epochs (journal_id) where ended_at is null;

-- What is missing. A row that the database refused (docs/adr/0005-poison-rows.md) leaves a gap of cause `unstorable`; one of a book
-- names the message that is missing, so that no function gives a book that lacks it.
create table booktape.gaps (
  gap_id uuid primary key,
  journal_id uuid not null,
  line text not null,
  symbol text not null,
  feed text not null check (feed in ('v1', 'ws')),
  stream text not null check (stream in ('book', 'trades')),
  from_id bigint,
  to_id bigint,
  started_at timestamptz not null,
  ended_at timestamptz,
  cause text not null,
  state text not null default 'open' check (state in ('open', 'closed', 'filled', 'unfillable')),
  epoch_id uuid, -- of the missing message, or the missing epoch itself; null in every other gap
  message_seq bigint, -- the missing message; null for a missing epoch
  checksum bigint not null
);
create index on booktape.gaps (symbol, feed, started_at);
-- Both are empty as long as nothing is refused: what is asked for each book and each whole book stored costs next to nothing.
create index on booktape.gaps (epoch_id, message_seq) where epoch_id is not null;
create index on booktape.gaps (symbol, feed, line) where epoch_id is not null and ended_at is null;

-- One row a delta, its changes in arrays: an array costs a header once, a row costs one for each change.
-- marks: one letter a change, its side and reason. Lower case is a bid, upper case an ask:
--   p place   t trade   c cancel   b top-of-book   i initial   u no reason given
create table booktape.book_messages (
  received_time timestamptz not null,
  received_time_ns bigint not null,
  event_time_ns bigint,
  first_update_id bigint not null,
  update_id bigint not null,
  message_seq bigint not null,
  checksum bigint not null,
  epoch_id uuid not null,
  symbol text not null,
  feed text not null,
  line text not null,
  marks text not null,
  prices numeric[] not null,
  quantities numeric[] not null,
  primary key (epoch_id, message_seq, received_time),
  check (length(marks) = cardinality(prices) and cardinality(prices) = cardinality(quantities))
) partition by range (received_time);
create index on booktape.book_messages (symbol, received_time);

-- Settled messages (docs/adr/0007-settled-chunks.md). A message is written as a row of book_messages, and some time later moved
-- into a chunk: one row for a run of messages of one epoch, a column of numbers for each of their fields.
--
-- Of `…_steps` the first is the value itself, each further one the difference to the one before; sums along the array give
-- the values back. `id_steps`: from the update id of the message before to the first of this one; `id_spans`: from the
-- first to the last. `event_steps` are null where the venue gave no time, and then count from the last time given.
--
-- A price is `prices[i] * price_unit`. Prices that no bigint holds at their common scale, or that are not written in the
-- canonical way, stand in `exact_prices` as they were, and `prices` is null; so do quantities.
create table booktape.book_chunks (
  received_from timestamptz not null, -- the earliest of the messages; all are of one hour
  received_to timestamptz not null, -- the latest
  epoch_id uuid not null,
  first_seq bigint not null,
  last_seq bigint not null,
  least_update_id bigint not null, -- of the messages' last ids
  last_update_id bigint not null, -- of the last message
  checksum bigint not null, -- the sum of the messages' checksums
  symbol text not null,
  feed text not null,
  line text not null,
  seq_steps bigint[] not null,
  id_steps bigint[] not null,
  id_spans bigint[] not null,
  event_steps bigint[] not null,
  received_steps bigint[] not null,
  change_counts integer[] not null,
  marks text not null, -- as in book_messages, of all messages one after another
  price_unit numeric,
  prices bigint[],
  exact_prices numeric[],
  quantity_unit numeric,
  quantities bigint[],
  exact_quantities numeric[],
  primary key (epoch_id, first_seq, received_from), -- no two of an epoch overlap
  check (received_from <= received_to and first_seq <= last_seq),
  check ((prices is null) <> (exact_prices is null) and (quantities is null) <> (exact_quantities is null)),
  check (length(marks) = cardinality(coalesce(prices, '{}')) + cardinality(coalesce(exact_prices, '{}'))
    and length(marks) = cardinality(coalesce(quantities, '{}')) + cardinality(coalesce(exact_quantities, '{}')))
) partition by range (received_from);
create index on booktape.book_chunks (symbol, received_from);

-- Whole books, best level first. The snapshot that begins an epoch is stored here only (reason `initial`).
create table booktape.book_snapshots (
  received_time timestamptz not null,
  received_time_ns bigint not null,
  event_time_ns bigint,
  update_id bigint not null,
  message_seq bigint not null, -- the message after which the book stood so
  checksum bigint not null,
  epoch_id uuid not null,
  symbol text not null,
  feed text not null,
  line text not null,
  reason text not null check (reason in ('initial', 'interval', 'epoch_end', 'audit')),
  bid_prices numeric[] not null,
  bid_quantities numeric[] not null,
  ask_prices numeric[] not null,
  ask_quantities numeric[] not null,
  digest bytea not null,
  primary key (epoch_id, message_seq, reason, received_time),
  check (cardinality(bid_prices) = cardinality(bid_quantities) and cardinality(ask_prices) = cardinality(ask_quantities))
) partition by range (received_time);
create index on booktape.book_snapshots (symbol, received_time);

create table booktape.quotes (
  received_time timestamptz not null,
  received_time_ns bigint not null,
  event_time_ns bigint,
  update_id bigint not null,
  message_seq bigint not null,
  checksum bigint not null,
  session_id uuid not null,
  epoch_id uuid,
  symbol text not null,
  feed text not null,
  line text not null,
  bid_price numeric,
  bid_quantity numeric,
  ask_price numeric,
  ask_quantity numeric,
  primary key (session_id, message_seq, received_time)
) partition by range (received_time);
create index on booktape.quotes (symbol, received_time);

-- Not partitioned: one row per trade whichever feed, line and day saw it needs a key without a time, and trades are
-- about one row in a hundred.
create table booktape.trades (
  symbol text not null,
  trade_id bigint not null,
  event_time timestamptz not null,
  event_time_ns bigint not null,
  received_time timestamptz not null,
  received_time_ns bigint not null,
  checksum bigint not null,
  price numeric not null check (price > 0),
  quantity numeric not null check (quantity >= 0),
  taker_side text not null check (taker_side in ('buy', 'sell', 'auction', 'block', 'unknown')),
  source text not null check (source in ('v1', 'ws', 'rest')),
  line text not null,
  broken boolean not null default false,
  primary key (symbol, trade_id)
);
create index on booktape.trades (symbol, event_time);

create table booktape.instruments (
  symbol text not null,
  base_currency text not null,
  quote_currency text not null,
  price_increment numeric not null check (price_increment > 0),
  quantity_increment numeric not null check (quantity_increment > 0),
  min_order_size numeric not null,
  status text not null,
  product_type text not null,
  contract_type text not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  checksum bigint not null,
  primary key (symbol, valid_from)
);

create table booktape.audits (
  symbol text not null,
  feed text not null,
  line text not null,
  audited_at timestamptz not null,
  method text not null,
  update_id bigint not null,
  levels_compared bigint not null,
  levels_different bigint not null,
  result text not null check (result in ('equal', 'different')),
  checksum bigint not null,
  primary key (symbol, feed, line, method, audited_at)
);

create table booktape.quarantine (
  session_id uuid not null,
  message_seq bigint not null,
  line text not null,
  feed text not null,
  symbol text,
  received_time timestamptz not null,
  reason text not null,
  payload bytea not null,
  checksum bigint not null,
  primary key (session_id, message_seq)
);
-- Quotes that the database refused: empty as long as none was.
create index on booktape.quarantine (symbol, received_time) where reason like 'unstorable row of quotes,%';

-- Days whose messages were settled, and by which transaction last: until when somebody may still see them as rows.
create table booktape.settled_days (
  day date primary key,
  settled_by xid8 not null
);

-- Until where the books of a symbol have been thinned.
create table booktape.thinned_books (
  symbol text primary key,
  until timestamptz not null
);

-- What two redundant lines both saw is kept once (docs/adr/0007-settled-chunks.md): of an epoch of the later line, a run of chunks
-- whose ids another line's epoch holds too is taken away. The epoch is not known there, as where a message is missing.
create table booktape.omitted_runs (
  epoch_id uuid not null,
  first_seq bigint not null, -- of the first message that was taken away
  last_seq bigint not null,
  first_update_id bigint not null,
  last_update_id bigint not null,
  from_time timestamptz not null, -- when the first of them was received
  to_time timestamptz not null, -- of the whole book after them, from which on the epoch is known again
  kept_epoch_id uuid not null, -- the epoch that holds the same ids
  checksum bigint not null,
  primary key (epoch_id, first_seq)
);
create index on booktape.omitted_runs (kept_epoch_id);

-- What must be there: how many rows of a relation, and the sum of their checksums. Moved in the transaction that adds rows or takes them away,
-- whoever does it: the writer, the thinning of books, the omission of copies, retention. Messages are counted as `book_messages`, be
-- they rows or chunks.
create table booktape.tallies (
  relation text not null,
  symbol text not null, -- empty where a row has none, and so is feed
  feed text not null,
  line text not null,
  hour timestamptz not null, -- by the time that the relation is read by: of most, when we received it
  row_count bigint not null,
  checksum bigint not null, -- 0 for relations whose rows change
  primary key (relation, symbol, feed, line, hour)
) with (fillfactor = 50); -- the hours that are written to change with every batch

-- Sums of checksums keep to the 48 bits that one has, so that a double holds them exactly.
create function booktape.wrapped(total numeric) returns bigint
language sql immutable parallel safe
return mod(mod(total, 281474976710656) + 281474976710656, 281474976710656)::bigint;

-- The checksum of some cells: the first 48 bits of the SHA-256 of their array's text.
create function booktape.checksum(cells text[]) returns bigint
language sql stable parallel safe
return ('x0000' || left(encode(sha256(convert_to(cells::text, 'UTF8')), 'hex'), 12))::bit(64)::bigint;

-- The hour in which an instant is counted.
create function booktape.hour_of(instant timestamptz) returns timestamptz
language sql immutable parallel safe
return date_bin(interval '1 hour', instant, timestamptz '1970-01-01 00:00:00+00');

-- Counts rows that were added, or, with negative numbers, taken away.
create function booktape.tally(
  of_relation text, of_symbol text, of_feed text, of_line text, of_hour timestamptz, added_rows bigint, added_checksum numeric
) returns void
language sql as $$
  insert into booktape.tallies as t (relation, symbol, feed, line, hour, row_count, checksum)
  values (of_relation, of_symbol, of_feed, of_line, of_hour, added_rows, booktape.wrapped(added_checksum))
  on conflict (relation, symbol, feed, line, hour) do update
  set row_count = t.row_count + excluded.row_count, checksum = booktape.wrapped(t.checksum::numeric + excluded.checksum)
$$;

-- The default partitions catch a day that nobody made; rows there are an alarm, not a loss.
create table booktape.book_messages_default partition of booktape.book_messages default;
create table booktape.book_chunks_default partition of booktape.book_chunks default;
create table booktape.book_snapshots_default partition of booktape.book_snapshots default;
create table booktape.quotes_default partition of booktape.quotes default;

-- Makes the partition of a day, where it is not there yet; whether it was made.
create function booktape.make_partition(parent text, day date) returns boolean
language plpgsql as $$
declare
  partition text := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
begin
  if to_regclass('booktape.' || partition) is not null then
    return false;
  end if;
  execute format(
    'create table booktape.%I partition of booktape.%I for values from (%L) to (%L)',
    partition, parent, (day || ' 00:00:00+00')::timestamptz, ((day + 1) || ' 00:00:00+00')::timestamptz
  );
  return true;
end
$$;

-- Makes the day partitions [first_day, first_day + days) of the big tables; existing ones are left as they are. Gives how many.
create function booktape.make_partitions(first_day date, days integer) returns integer
language plpgsql as $$
declare
  parent text;
  made integer := 0;
begin
  foreach parent in array array['book_messages', 'book_chunks', 'book_snapshots', 'quotes'] loop
    for offset_days in 0 .. days - 1 loop
      made := made + booktape.make_partition(parent, first_day + offset_days)::integer;
    end loop;
  end loop;
  return made;
end
$$;

-- Where rows live. People query schema `market` (0002, 0003); schema `booktape` is storage and may change shape.
--
-- Natural keys everywhere, made from the journal, so that writing the same entry twice changes nothing.
-- Big tables are partitioned by day of receive time, by our clock and not the venue's, so that a wrong exchange time
-- can never name a partition that does not exist.

create schema booktape;
create schema market;

-- Simulated and real data never share a database: the first recorder writes the venue, every later one must match it.
create table booktape.venue (
  only_row boolean primary key default true check (only_row),
  name text not null check (name in ('gemini', 'gemini-sandbox', 'simulated'))
);

-- One row a journal: how far its entries are stored. Moved in the same transaction as the rows made from them.
create table booktape.journals (
  journal_id uuid primary key,
  line text not null,
  shard integer not null,
  written_position bigint not null default 0 check (written_position >= 0),
  recorded_until timestamptz -- receive time of the entry at written_position: what is later is not known yet
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
  close_reason text
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
  end_reason text
);
create index on booktape.epochs (symbol, feed, started_at);
create index on booktape.epochs (journal_id) where ended_at is null;

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
  state text not null default 'open' check (state in ('open', 'closed', 'filled', 'unfillable'))
);
create index on booktape.gaps (symbol, feed, started_at);

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

-- Whole books, best level first. The snapshot that begins an epoch is stored here only (reason `initial`).
create table booktape.book_snapshots (
  received_time timestamptz not null,
  received_time_ns bigint not null,
  event_time_ns bigint,
  update_id bigint not null,
  message_seq bigint not null, -- the message after which the book stood so
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
  primary key (session_id, message_seq)
);

-- Makes the day partitions [first_day, first_day + days) of the three big tables; existing ones are left as they are.
-- The default partitions catch a day that nobody made; rows there are an alarm, not a loss.
create function booktape.make_partitions(first_day date, days integer) returns integer
language plpgsql as $$
declare
  parent text;
  day date;
  made integer := 0;
  partition text;
begin
  foreach parent in array array['book_messages', 'book_snapshots', 'quotes'] loop
    for offset_days in 0 .. days - 1 loop
      day := first_day + offset_days;
      partition := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
      if to_regclass('booktape.' || partition) is null then
        execute format(
          'create table booktape.%I partition of booktape.%I for values from (%L) to (%L)',
          partition, parent, (day || ' 00:00:00+00')::timestamptz, ((day + 1) || ' 00:00:00+00')::timestamptz
        );
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end
$$;

create table booktape.book_messages_default partition of booktape.book_messages default;
create table booktape.book_snapshots_default partition of booktape.book_snapshots default;
create table booktape.quotes_default partition of booktape.quotes default;

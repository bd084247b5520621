-- What an account was offered, beside the market's data and apart from it: schema `account` is written by services/account with a role of
-- its own, and neither the market's recorder nor the readers of schema `market` can see it. Keys are made from the journal of that
-- service, so that writing the same entry twice changes nothing.

create schema account;
revoke all on schema account from public;

-- One row a journal: how far its entries are stored, and what was true after the last of them, moved in the same transaction as the rows.
create table account.journals (
  journal_id uuid primary key,
  written_position bigint not null default 0 check (written_position >= 0),
  state jsonb not null,
  recorded_until timestamptz
);

-- Instant quotes as they were offered, one row each, with the recorded book's answer to the same question. Amounts are exact.
create table account.instant_quotes (
  journal_id uuid not null,
  position bigint not null,
  key_fingerprint text not null, -- which API key asked, without being it
  symbol text not null,
  side text not null check (side in ('buy', 'sell')), -- what the taker would do
  requested_time timestamptz not null,
  requested_time_ns bigint not null,
  received_time timestamptz not null,
  received_time_ns bigint not null,
  quote_id bigint not null,
  max_age_ms bigint not null,
  pair text not null,
  price numeric not null,
  price_currency text not null,
  quantity numeric not null,
  quantity_currency text not null,
  fee numeric not null,
  fee_currency text not null,
  deposit_fee numeric not null,
  deposit_fee_currency text not null,
  total_spend numeric not null,
  total_spend_currency text not null,
  -- Whether the book of the instant in which the quote came is known: `pending` until the market's recorder has stored that instant.
  book_state text not null default 'pending' check (book_state in ('pending', 'known', 'not_known')),
  book_reason text, -- why it is not known
  book_feed text,
  book_epoch_id uuid,
  book_update_id bigint,
  book_filled_quantity numeric,
  book_average_price numeric,
  book_worst_price numeric,
  book_levels integer,
  premium_bps numeric,
  premium_with_fee_bps numeric,
  primary key (journal_id, position)
);
create index on account.instant_quotes (symbol, received_time);
create index on account.instant_quotes (received_time_ns) where book_state = 'pending';

-- Quotes that were asked for and not given.
create table account.quote_failures (
  journal_id uuid not null,
  position bigint not null,
  key_fingerprint text not null,
  symbol text not null,
  side text not null check (side in ('buy', 'sell')),
  total_spend numeric not null,
  requested_time timestamptz not null,
  requested_time_ns bigint not null,
  received_time timestamptz not null,
  received_time_ns bigint not null,
  status integer, -- null: no answer came
  reason text, -- the venue's word, where it is a known one
  explanation text not null,
  primary key (journal_id, position)
);
create index on account.quote_failures (received_time);

-- Answers and messages that could not be read, without the key: the first 4 KiB of each.
create table account.quarantine (
  journal_id uuid not null,
  position bigint not null,
  received_time timestamptz not null,
  source text not null,
  reason text not null,
  payload bytea not null,
  primary key (journal_id, position)
);

-- What happened to orders, one row an event, as each feed told it: on v1 in the venue's words, on the new API the status of the update,
-- `snapshot` for an order that was there when we subscribed; of REST, asked after a gap, how the order ended. `ended_unseen` is ours: the order was active before a gap and is no more.
create table account.order_events (
  journal_id uuid not null,
  position bigint not null,
  event_index integer not null, -- within one frame
  key_fingerprint text not null,
  feed text not null check (feed in ('v1', 'ws', 'rest')),
  socket_sequence bigint, -- v1 only
  event_type text not null,
  order_id bigint not null,
  event_id bigint,
  client_order_id text,
  symbol text not null,
  side text not null check (side in ('buy', 'sell')),
  order_type text,
  venue_time timestamptz,
  venue_time_ns bigint,
  received_time timestamptz not null,
  received_time_ns bigint not null,
  price numeric,
  stop_price numeric,
  original_quantity numeric,
  remaining_quantity numeric,
  executed_quantity numeric, -- in all; null where the feed says only how much the last fill was
  reason text,
  trade_id bigint, -- of a fill
  primary key (journal_id, position, event_index)
);
create index on account.order_events (order_id);
create index on account.order_events (received_time);
-- The new API numbers nothing: the same update told twice is the same in all of this. v1 is kept from it by socket_sequence.
create unique index on account.order_events (order_id, event_type, venue_time_ns, coalesce(trade_id, 0), coalesce(remaining_quantity, 0))
  where feed = 'ws' and venue_time_ns is not null;
create unique index on account.order_events (order_id, event_type, executed_quantity) where feed = 'rest';

-- One row a fill, whichever feeds told it: `trade_id` is that of market.trades. An account that trades with itself has two of one trade.
create table account.fills (
  order_id bigint not null,
  trade_id bigint not null,
  journal_id uuid not null,
  position bigint not null,
  key_fingerprint text not null,
  source text not null check (source in ('v1', 'ws', 'rest')), -- which told it first
  client_order_id text,
  symbol text not null,
  side text not null check (side in ('buy', 'sell')),
  price numeric not null,
  quantity numeric not null,
  fee numeric,
  fee_currency text, -- the new API does not tell it
  liquidity text, -- maker, taker, auction
  venue_time timestamptz not null,
  venue_time_ns bigint not null, -- to the millisecond, of the new API to the nanosecond
  received_time timestamptz not null,
  received_time_ns bigint not null,
  primary key (order_id, trade_id)
);
create index on account.fills (symbol, trade_id);
create index on account.fills (received_time);

-- The orders as they are by all that was told of them: made of order_events and fills by account.refresh_orders, in the same transaction.
create table account.orders (
  order_id bigint primary key,
  key_fingerprint text not null,
  client_order_id text,
  symbol text not null,
  side text not null check (side in ('buy', 'sell')),
  order_type text,
  price numeric,
  stop_price numeric,
  original_quantity numeric,
  executed_quantity numeric not null,
  state text not null
    check (state in ('accepted', 'open', 'partially_filled', 'ended_unseen', 'closed', 'cancelled', 'rejected', 'filled')),
  reason text,
  first_received_time timestamptz not null,
  last_received_time timestamptz not null
);
create index on account.orders (client_order_id);
create index on account.orders (symbol, first_received_time);
create index on account.orders (order_id) where state in ('accepted', 'open', 'partially_filled');

-- A function of the rows there are and of no order in which they came, so it may be called again at any time.
create function account.refresh_orders(order_ids bigint[]) returns void
language sql
begin atomic
  insert into account.orders
  select o.order_id, o.key_fingerprint, o.client_order_id, o.symbol, o.side, o.order_type, o.price, o.stop_price, o.original_quantity,
    o.executed_quantity,
    case
      when o.types && '{rejected}' then 'rejected'
      when o.types && '{filled}' or o.executed_quantity >= o.original_quantity then 'filled'
      when o.types && '{cancelled,canceled}' then 'cancelled'
      when o.types && '{closed}' then 'closed'
      when o.types && '{ended_unseen}' then 'ended_unseen'
      when o.executed_quantity > 0 then 'partially_filled'
      when o.types && '{initial,snapshot,booked,open,modified}' then 'open'
      else 'accepted'
    end,
    o.reason, o.first_received_time, o.last_received_time
  from (
    select e.order_id, min(e.key_fingerprint) as key_fingerprint, max(e.client_order_id) as client_order_id, min(e.symbol) as symbol,
      min(e.side) as side,
      -- What was told last: an order can be modified.
      (array_agg(e.order_type order by e.received_time_ns desc) filter (where e.order_type is not null))[1] as order_type,
      (array_agg(e.price order by e.received_time_ns desc) filter (where e.price is not null))[1] as price,
      (array_agg(e.stop_price order by e.received_time_ns desc) filter (where e.stop_price is not null))[1] as stop_price,
      (array_agg(e.original_quantity order by e.received_time_ns desc) filter (where e.original_quantity is not null))[1]
        as original_quantity,
      (array_agg(e.reason order by e.received_time_ns desc) filter (where e.reason is not null))[1] as reason,
      greatest(max(e.executed_quantity), 0, (select sum(f.quantity) from account.fills f where f.order_id = e.order_id))
        as executed_quantity,
      array_agg(e.event_type) as types, min(e.received_time) as first_received_time, max(e.received_time) as last_received_time
    from account.order_events e
    where e.order_id = any(order_ids)
    group by e.order_id
  ) o
  on conflict (order_id) do update set
    client_order_id = excluded.client_order_id, order_type = excluded.order_type, price = excluded.price,
    stop_price = excluded.stop_price, original_quantity = excluded.original_quantity, executed_quantity = excluded.executed_quantity,
    state = excluded.state, reason = excluded.reason, first_received_time = excluded.first_received_time,
    last_received_time = excluded.last_received_time;
end;

-- What an account holds, a row for each change of each asset, as the new API rounds it.
create table account.balances (
  journal_id uuid not null,
  position bigint not null,
  key_fingerprint text not null,
  asset text not null,
  available numeric not null,
  current numeric not null,
  venue_time timestamptz not null,
  venue_time_ns bigint not null,
  updated_time_ns bigint not null,
  received_time timestamptz not null,
  received_time_ns bigint not null,
  primary key (journal_id, position, asset)
);
create unique index on account.balances (key_fingerprint, asset, updated_time_ns, available, current);
create index on account.balances (asset, received_time);

-- When a feed of the account was not heard: whatever happened then may be missing, unless the other feed told it.
create table account.gaps (
  journal_id uuid not null,
  position bigint not null, -- of the entry that began it
  key_fingerprint text not null,
  feed text not null check (feed in ('v1', 'ws')),
  from_sequence bigint, -- v1: the messages in (from, to] never came; null where nobody knows how many
  to_sequence bigint,
  started_at timestamptz not null, -- -infinity: nothing was recorded before
  ended_at timestamptz,
  cause text not null,
  state text not null default 'open' check (state in ('open', 'closed', 'filled')), -- filled: REST told what happened in it
  check ((state = 'open') = (ended_at is null)),
  primary key (journal_id, position, feed)
);
create index on account.gaps (feed, started_at);

-- How much worse `price` is for a taker than `reference`, in basis points, to the eighth digit after the point. Negative: better.
create function account.premium_bps(side text, price numeric, reference numeric) returns numeric
language sql immutable
return round(
  case side when 'buy' then round(price * 10000, 36) / reference - 10000 else 10000 - round(price * 10000, 36) / reference end, 8);

-- How long a quote waits for a book that may still come.
create function account.patience() returns interval
language sql immutable
return interval '24 hours';

-- Asks the recorded books for what the pending quotes would have cost there, oldest first, and gives how many now have an answer.
-- An answer is final: a quote waits until the journal of the epoch that holds the book has stored the instant, or, where no epoch does,
-- until no journal can bring one any more. Call it in a transaction of isolation level repeatable read: it looks several times.
create function account.answer_quotes(at_most integer) returns integer
language plpgsql as $$
#variable_conflict use_column
declare
  quote account.instant_quotes;
  epoch record;
  state booktape.book_state;
  filled numeric;
  average numeric;
  worst numeric;
  reached integer;
  why text;
  price_with_fee numeric;
  answered integer := 0;
begin
  for quote in
    select * from account.instant_quotes q where q.book_state = 'pending' order by q.received_time_ns limit at_most
  loop
    why := null;
    state := null;
    filled := null;
    average := null;
    worst := null;
    reached := null;
    select e.epoch_id, e.feed, coalesce(e.ended_at >= quote.received_time or j.recorded_until >= quote.received_time, false) as is_stored
    into epoch
    from booktape.epochs e left join booktape.journals j using (journal_id)
    where e.epoch_id = booktape.epoch_at(quote.symbol, quote.received_time, null);
    if not found then
      -- A journal that ends shortly before may be caught up yet; and where none goes on after, one may be about to begin.
      continue when now() < quote.received_time + account.patience() and (
        not exists (select from booktape.journals j where j.recorded_until >= quote.received_time)
        or exists (
          select from booktape.journals j
          where j.recorded_until < quote.received_time and j.recorded_until > quote.received_time - account.patience()));
    else
      continue when not epoch.is_stored;
    end if;
    begin
      state := booktape.proven_state_at(quote.symbol, quote.received_time, null, epoch.feed);
      select c.filled_quantity, c.average_price, c.worst_price, c.levels into filled, average, worst, reached
      from market.fill_cost_at(quote.symbol, quote.received_time, quote.side, quote.quantity, epoch.feed) c;
    exception when sqlstate 'BT001' then
      why := sqlerrm;
    end;
    -- What a taker pays or gets in all, where all of it is in one currency.
    price_with_fee := case
      when quote.fee_currency = quote.price_currency and quote.deposit_fee_currency = quote.price_currency then
        quote.price + case quote.side when 'buy' then 1 else -1 end * round(quote.fee + quote.deposit_fee, 36) / quote.quantity
    end;
    update account.instant_quotes q
    set book_state = case when why is null then 'known' else 'not_known' end,
      book_reason = why,
      book_feed = case when why is null then epoch.feed end,
      book_epoch_id = state.epoch_id,
      book_update_id = state.update_id,
      book_filled_quantity = filled,
      book_average_price = average,
      book_worst_price = worst,
      book_levels = reached,
      -- A book that does not hold the whole quantity has no price for it.
      premium_bps = case when filled = quote.quantity then account.premium_bps(quote.side, quote.price, average) end,
      premium_with_fee_bps = case when filled = quote.quantity then account.premium_bps(quote.side, price_with_fee, average) end
    where q.journal_id = quote.journal_id and q.position = quote.position;
    answered := answered + 1;
  end loop;
  return answered;
end
$$;
revoke execute on function account.answer_quotes(integer), account.premium_bps(text, numeric, numeric), account.patience(),
  account.refresh_orders(bigint[]) from public;

-- Each fill beside the trade that everybody saw; `is_joined` is false where the market's recorder has none of that number.
create view account.fill_trades as
select f.order_id, f.trade_id, f.client_order_id, f.symbol, f.side, f.liquidity, f.price, f.quantity, f.fee, f.fee_currency, f.venue_time,
  f.venue_time_ns, f.received_time, f.received_time_ns, t.trade_id is not null as is_joined, t.price as trade_price,
  t.quantity as trade_quantity, t.taker_side, t.event_time as trade_time, t.event_time_ns as trade_time_ns,
  t.received_time as trade_received_time, t.received_time_ns as trade_received_time_ns
from account.fills f left join market.trades t using (symbol, trade_id);

-- Client order ids that are not as the venue asks for: it takes them, and a client that sorts by them is misled.
create view account.client_order_id_findings as
select o.order_id, o.client_order_id, o.first_received_time, p.finding
from account.orders o cross join lateral (
  values ('characters', o.client_order_id !~ '^[A-Za-z0-9#:._-]*$'),
    ('too_long', length(o.client_order_id) > 36),
    ('not_unique', exists (
      select from account.orders other
      where other.client_order_id = o.client_order_id and other.key_fingerprint = o.key_fingerprint and other.order_id <> o.order_id))
) as p(finding, is_so)
where p.is_so;

-- What readers of the market may see of it: the offers, not whose they are. The view runs as its owner, so nobody needs schema `account`.
create view market.instant_quotes as
select symbol, side, quote_id, pair, price, price_currency, quantity, quantity_currency, fee, fee_currency, deposit_fee,
  deposit_fee_currency, total_spend, total_spend_currency, max_age_ms, requested_time, requested_time_ns, received_time,
  received_time_ns, received_time + max_age_ms * interval '1 millisecond' as valid_until, book_state, book_reason, book_feed,
  book_epoch_id, book_update_id, book_filled_quantity, book_average_price, book_worst_price, book_levels, premium_bps,
  premium_with_fee_bps
from account.instant_quotes;

do $$
begin
  if exists (select from pg_roles where rolname = 'booktape_reader') then
    grant select on market.instant_quotes to booktape_reader;
  end if;
end
$$;

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
revoke execute on function account.answer_quotes(integer), account.premium_bps(text, numeric, numeric), account.patience() from public;

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

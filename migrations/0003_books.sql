-- The book at an instant, or after an update: the newest snapshot before it and the messages since, the last quantity of
-- each price holding. A book is given only where it is proven; elsewhere the caller gets SQLSTATE BT001 and the reason.
--
-- Functions of schema market have the names of the contract, which are also names of columns, and only pass them on;
-- functions of schema booktape do the work under names of their own.

-- Until when each epoch is proven. One without an end is proven as far as its journal has been stored; while that
-- is at most 10 s ago the recorder is alive and only commits in batches, so the newest book still stands.
create view booktape.known_epochs as
select e.epoch_id, e.symbol, e.feed, e.line, e.started_at,
  coalesce(e.ended_at, case
    when j.recorded_until >= now() - interval '10 seconds' then timestamptz 'infinity'
    else greatest(e.started_at, j.recorded_until)
  end) as known_until,
  e.ended_at is null as has_no_end
from booktape.epochs e
left join booktape.journals j using (journal_id);

-- An epoch whose book is known at an instant: v1 before ws, because v1 gives every event by itself; then by line.
create function booktape.epoch_at(of_symbol text, at_time timestamptz, of_feed text) returns uuid
language sql stable
return (
  select e.epoch_id
  from booktape.known_epochs e
  where e.symbol = of_symbol and (of_feed is null or e.feed = of_feed)
    and e.started_at <= at_time and e.known_until >= at_time
  order by e.feed = 'v1' desc, e.line, e.started_at desc
  limit 1
);

-- One state of one book: the snapshot to start from and the last message to apply.
create type booktape.book_state as (
  epoch_id uuid,
  snapshot_time timestamptz,
  snapshot_seq bigint,
  message_time timestamptz, -- as the snapshot's, and so below, where no message follows it
  message_seq bigint,
  update_id bigint,
  event_time_ns bigint
);

-- The state an epoch was in at an instant by receive time; null where no snapshot before it is stored (any more).
create function booktape.state_at(of_symbol text, of_epoch uuid, at_time timestamptz) returns booktape.book_state
language plpgsql stable as $$
declare
  state booktape.book_state;
  newest record;
begin
  select s.epoch_id, s.received_time, s.message_seq, s.received_time, s.message_seq, s.update_id, s.event_time_ns into state
  from booktape.book_snapshots s
  where s.epoch_id = of_epoch and s.received_time <= at_time
    and s.received_time >= (select e.started_at from booktape.epochs e where e.epoch_id = of_epoch) - booktape.clock_step()
  order by s.message_seq desc
  limit 1;
  if not found then
    return null;
  end if;
  select m.received_time, m.message_seq, m.update_id, m.event_time_ns into newest
  from booktape.book_messages m
  where m.symbol = of_symbol and m.epoch_id = of_epoch
    and m.received_time >= state.snapshot_time and m.received_time <= at_time
  order by m.received_time desc, m.message_seq desc
  limit 1;
  if found and newest.message_seq > state.snapshot_seq then
    state.message_time := newest.received_time;
    state.message_seq := newest.message_seq;
    state.update_id := newest.update_id;
    state.event_time_ns := newest.event_time_ns;
  end if;
  return state;
end
$$;

-- The state an epoch was in after its last message with an update id up to the given one; null as above.
create function booktape.state_after(of_epoch uuid, of_update bigint) returns booktape.book_state
language plpgsql stable as $$
declare
  state booktape.book_state;
  later record; -- the first snapshot with a later id: no message after it can count
  newest record;
begin
  select s.epoch_id, s.received_time, s.message_seq, s.received_time, s.message_seq, s.update_id, s.event_time_ns into state
  from booktape.book_snapshots s
  where s.epoch_id = of_epoch and s.update_id <= of_update
    and s.received_time >= (select e.started_at from booktape.epochs e where e.epoch_id = of_epoch) - booktape.clock_step()
  order by s.message_seq desc
  limit 1;
  if not found then
    return null;
  end if;
  select s.message_seq, s.received_time into later
  from booktape.book_snapshots s
  where s.epoch_id = of_epoch and s.update_id > of_update and s.message_seq >= state.snapshot_seq
    and s.received_time >= state.snapshot_time - booktape.clock_step()
  order by s.message_seq
  limit 1;
  select m.received_time, m.message_seq, m.update_id, m.event_time_ns into newest
  from booktape.book_messages m
  where m.epoch_id = of_epoch and m.message_seq > state.snapshot_seq and m.update_id <= of_update
    and m.received_time >= state.snapshot_time - booktape.clock_step()
    and m.message_seq <= coalesce(later.message_seq, 9223372036854775807)
    and m.received_time <= coalesce(later.received_time + booktape.clock_step(), 'infinity')
  order by m.message_seq desc
  limit 1;
  if found then
    state.message_time := newest.received_time;
    state.message_seq := newest.message_seq;
    state.update_id := newest.update_id;
    state.event_time_ns := newest.event_time_ns;
  end if;
  return state;
end
$$;

-- One side of the book in a state, best level first, numbered from 1. `max_levels` null: all of it.
create function booktape.levels(of_side text, state booktape.book_state, max_levels integer)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
#variable_conflict use_column
begin
  return query
  with changed as materialized (
    select distinct on (c.price) c.price, c.quantity
    from booktape.book_messages m
    cross join lateral unnest(m.prices, m.quantities, string_to_array(m.marks, null))
      with ordinality as c(price, quantity, mark, place)
    where m.epoch_id = state.epoch_id
      and m.message_seq > state.snapshot_seq and m.message_seq <= state.message_seq
      and m.received_time >= state.snapshot_time - booktape.clock_step()
      and m.received_time <= state.message_time + booktape.clock_step()
      and booktape.mark_side(c.mark) = of_side
    order by c.price, m.message_seq desc, c.place desc
  ),
  snapshot as (
    select case of_side when 'bid' then s.bid_prices else s.ask_prices end as prices,
      case of_side when 'bid' then s.bid_quantities else s.ask_quantities end as quantities
    from booktape.book_snapshots s
    where s.epoch_id = state.epoch_id and s.message_seq = state.snapshot_seq and s.received_time = state.snapshot_time
    limit 1
  ),
  -- A changed price takes away at most one of the snapshot's levels: the best `max_levels` are among that many more.
  reach as (
    select prices, quantities,
      least(max_levels + (select count(*) from changed), cardinality(prices))::integer as depth
    from snapshot
  ),
  latest as (
    select distinct on (sort_key) sort_key, price, quantity
    from (
      select case of_side when 'bid' then -price else price end as sort_key, price, quantity, true as is_changed
      from changed
      union all
      select case of_side when 'bid' then -l.price else l.price end, l.price, l.quantity, false
      from reach cross join lateral unnest(prices[1:reach.depth], quantities[1:reach.depth]) as l(price, quantity)
    ) every
    order by sort_key, is_changed desc
  )
  select of_side, (row_number() over (order by sort_key))::integer, price, quantity
  from latest
  where quantity > 0
  order by sort_key
  limit max_levels;
end
$$;

-- An instant in UTC, for messages.
create function booktape.spoken(instant timestamptz) returns text
language sql stable
return to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- Raises BT001: why a book is not known at an instant.
create function booktape.raise_not_known(of_symbol text, at_time timestamptz, of_feed text) returns void
language plpgsql stable as $$
declare
  what text := format('the book of %s on %s is not known at %s', of_symbol, coalesce(of_feed, 'any feed'), booktape.spoken(at_time));
  recorded text;
  reasons text;
  known record;
begin
  if not exists (select from booktape.epochs e where e.symbol = of_symbol and (of_feed is null or e.feed = of_feed))
    and not exists (select from booktape.gaps g where g.symbol = of_symbol and (of_feed is null or g.feed = of_feed))
  then
    select string_agg(distinct e.symbol || ' on ' || e.feed, ', ') into recorded from booktape.epochs e;
    raise exception using errcode = 'BT001',
      message = format('%s: it was never recorded', what),
      hint = format('Recorded are: %s. Symbols are lower case.', coalesce(recorded, 'none yet'));
  end if;

  select string_agg(reason, '; ' order by feed = 'v1' desc, line, reason) into reasons
  from (
    select g.feed, g.line, format('gap %s (%s, %s on line %s) from %s to %s', g.gap_id, g.cause, g.feed, g.line,
      booktape.spoken(g.started_at), coalesce(booktape.spoken(g.ended_at), 'now')) as reason
    from booktape.gaps g
    where g.symbol = of_symbol and (of_feed is null or g.feed = of_feed) and g.stream = 'book'
      and g.started_at <= at_time and (g.ended_at is null or g.ended_at >= at_time)
    union all
    select e.feed, e.line, format('%s on line %s is stored only until %s', e.feed, e.line, booktape.spoken(e.known_until))
    from booktape.known_epochs e
    where e.symbol = of_symbol and (of_feed is null or e.feed = of_feed) and e.has_no_end and e.known_until < at_time
  ) why;
  if reasons is null then
    select max(e.known_until) filter (where e.known_until < at_time) as last_until,
      min(e.started_at) filter (where e.started_at > at_time) as next_from into known
    from booktape.known_epochs e
    where e.symbol = of_symbol and (of_feed is null or e.feed = of_feed);
    reasons := concat_ws(', ', 'it was not recorded then', 'known last until ' || booktape.spoken(known.last_until),
      'known next from ' || booktape.spoken(known.next_from));
  end if;
  raise exception using errcode = 'BT001', message = format('%s: %s', what, reasons),
    hint = 'market.coverage shows where a book is known.';
end
$$;

-- Raises 22023 for arguments that no answer fits.
create function booktape.check_question(of_symbol text, at_time timestamptz, max_levels integer, of_feed text) returns void
language plpgsql immutable as $$
begin
  if of_symbol is null or at_time is null then
    raise exception using errcode = '22023', message = 'symbol and time must be given, not null';
  elsif max_levels < 1 then
    raise exception using errcode = '22023', message = format('depth must be at least 1, not %s', max_levels);
  elsif of_feed not in ('v1', 'ws') then
    raise exception using errcode = '22023', message = format('feed must be v1 or ws, not %s', of_feed);
  end if;
end
$$;

-- The state of the book at an instant; raises BT001 where it is not known.
create function booktape.proven_state_at(of_symbol text, at_time timestamptz, max_levels integer, of_feed text)
returns booktape.book_state
language plpgsql stable as $$
declare
  epoch uuid;
  state booktape.book_state;
begin
  perform booktape.check_question(of_symbol, at_time, max_levels, of_feed);
  epoch := booktape.epoch_at(of_symbol, at_time, of_feed);
  if epoch is null then
    perform booktape.raise_not_known(of_symbol, at_time, of_feed);
  end if;
  state := booktape.state_at(of_symbol, epoch, at_time);
  if state.epoch_id is null then
    raise exception using errcode = 'BT001',
      message = format('the book of %s at %s is no longer stored: no snapshot of epoch %s before it is left',
        of_symbol, booktape.spoken(at_time), epoch);
  end if;
  return state;
end
$$;

-- The book as of `at` by receive time: bids best first, then asks best first.
create function market.book_at(symbol text, at timestamptz, depth integer default null, feed text default null)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
declare
  state booktape.book_state := booktape.proven_state_at(symbol, at, depth, feed);
begin
  return query select l.side, l.level, l.price, l.quantity from booktape.levels('bid', state, depth) l;
  return query select l.side, l.level, l.price, l.quantity from booktape.levels('ask', state, depth) l;
end
$$;

-- The book after the last message of an epoch whose update id is at most `update_id`.
create function market.book_at_update(symbol text, epoch_id uuid, update_id bigint, depth integer default null)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
#variable_conflict use_column
declare
  epoch record;
  state booktape.book_state;
begin
  perform booktape.check_question(book_at_update.symbol, now(), depth, null);
  select e.first_update_id, e.last_update_id, e.ended_at into epoch
  from market.epochs e
  where e.epoch_id = book_at_update.epoch_id and e.symbol = book_at_update.symbol;
  if not found then
    raise exception using errcode = 'BT001',
      message = format('%s has no epoch %s', book_at_update.symbol, coalesce(book_at_update.epoch_id::text, 'null')),
      hint = 'market.epochs lists them.';
  end if;
  if book_at_update.update_id is null or book_at_update.update_id not between epoch.first_update_id and epoch.last_update_id then
    raise exception using errcode = 'BT001',
      message = format('the book of %s after update %s is not known: epoch %s %s updates %s to %s', book_at_update.symbol,
        coalesce(book_at_update.update_id::text, 'null'), book_at_update.epoch_id,
        case when epoch.ended_at is null then 'so far holds' else 'holds' end, epoch.first_update_id, epoch.last_update_id);
  end if;
  state := booktape.state_after(book_at_update.epoch_id, book_at_update.update_id);
  if state.epoch_id is null then
    raise exception using errcode = 'BT001',
      message = format('the book of %s after update %s is no longer stored: no snapshot of epoch %s before it is left',
        book_at_update.symbol, book_at_update.update_id, book_at_update.epoch_id);
  end if;
  return query select l.side, l.level, l.price, l.quantity from booktape.levels('bid', state, depth) l;
  return query select l.side, l.level, l.price, l.quantity from booktape.levels('ask', state, depth) l;
end
$$;

-- Best bid and ask, null where the book has none; no row where the book is not known.
create function market.top_of_book_at(symbol text, at timestamptz, feed text default null)
returns table (bid_price numeric, bid_quantity numeric, ask_price numeric, ask_quantity numeric, mid numeric, spread numeric)
language plpgsql stable as $$
declare
  state booktape.book_state;
begin
  perform booktape.check_question(symbol, at, null, feed);
  state := booktape.state_at(symbol, booktape.epoch_at(symbol, at, feed), at);
  if state.epoch_id is not null then
    -- Half of a sum by multiplication, which is exact; a division would be cut.
    return query
    select b.price, b.quantity, a.price, a.quantity, trim_scale((b.price + a.price) * 0.5), a.price - b.price
    from (select) always
    left join booktape.levels('bid', state, 1) b on true
    left join booktape.levels('ask', state, 1) a on true;
  end if;
end
$$;

-- What a market order of `quantity` would have paid (taker_side buy) or received (sell). Where the book holds less,
-- `filled_quantity` is what it holds. `average_price` is rounded at the 36th digit after the point: products of two
-- recorded values have no more, so it is exact wherever the division ends there.
create function market.fill_cost_at(
  symbol text, at timestamptz, taker_side text, quantity numeric, feed text default null
)
returns table (filled_quantity numeric, average_price numeric, worst_price numeric, levels integer)
language plpgsql stable as $$
#variable_conflict use_column
declare
  state booktape.book_state;
begin
  if taker_side is null or taker_side not in ('buy', 'sell') then
    raise exception using errcode = '22023', message = format('taker_side must be buy or sell, not %s', coalesce(taker_side, 'null'));
  elsif fill_cost_at.quantity is null or not (fill_cost_at.quantity > 0 and fill_cost_at.quantity < 'Infinity') then
    raise exception using errcode = '22023',
      message = format('quantity must be a number above 0, not %s', coalesce(fill_cost_at.quantity::text, 'null'));
  end if;
  state := booktape.proven_state_at(symbol, at, null, feed);
  return query
  with reached as (
    select l.price, l.level, least(l.quantity, fill_cost_at.quantity - (sum(l.quantity) over (order by l.level) - l.quantity)) as filled
    from booktape.levels(case taker_side when 'buy' then 'ask' else 'bid' end, state, null) l
  )
  select coalesce(sum(r.filled), 0), trim_scale(round(sum(r.price * r.filled), 36) / sum(r.filled)),
    case taker_side when 'buy' then max(r.price) else min(r.price) end, count(*)::integer
  from reached r
  where r.filled > 0;
end
$$;

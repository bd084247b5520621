-- The book at an instant, or after an update: a state's snapshot and the messages since, the last quantity of each price holding. A book
-- is given only where it is proven; elsewhere the caller gets SQLSTATE BT001 and the reason.
--
-- Functions of schema market have the names of the contract, which are also names of columns, and only pass them on;
-- functions of schema booktape do the work under names of their own.

-- The changes of an epoch after one message and up to another, settled or not, in no order. The times are those
-- of the two and choose the days to look in.
create function booktape.changes_of(
  of_epoch uuid, after_seq bigint, last_seq bigint, from_time timestamptz, to_time timestamptz
) returns setof market.book_changes
language sql stable as $$
  select m.symbol, m.feed, m.line, m.epoch_id, m.message_seq, (c.place - 1)::integer, m.update_id,
    booktape.instant(m.event_time_ns), m.event_time_ns, m.received_time, m.received_time_ns,
    booktape.mark_side(c.mark), c.price, c.quantity, booktape.mark_reason(c.mark), false
  from booktape.book_messages m
  cross join lateral unnest(m.prices, m.quantities, string_to_array(m.marks, null))
    with ordinality as c(price, quantity, mark, place)
  where m.epoch_id = of_epoch and m.message_seq > after_seq and m.message_seq <= last_seq
    and m.received_time >= from_time - booktape.clock_step() and m.received_time <= to_time + booktape.clock_step()
  union all
  select c.symbol, c.feed, c.line, c.epoch_id, c.message_seq, c.change_index, c.update_id, c.event_time, c.event_time_ns,
    c.received_time, c.received_time_ns, booktape.mark_side(c.mark), c.price, c.quantity, booktape.mark_reason(c.mark), false
  from booktape.settled_changes c
  where c.epoch_id = of_epoch and c.chunk_first_seq <= last_seq and c.chunk_last_seq > after_seq
    and c.chunk_from >= from_time - booktape.clock_step() - booktape.chunk_span()
    and c.chunk_from <= to_time + booktape.clock_step()
    and c.message_seq > after_seq and c.message_seq <= last_seq
$$;

-- The sides named of the book in a state, one after another: each best level first, numbered from 1. Both are made of one
-- look at the changes. `max_levels` null: all of them.
create function booktape.book_levels(of_sides text[], state booktape.book_state, max_levels integer)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
#variable_conflict use_column
begin
  return query
  with fresh as (
    select distinct on (c.mark >= 'a', c.price) c.mark >= 'a' as is_bid, c.price, c.quantity, m.message_seq
    from booktape.book_messages m
    cross join lateral unnest(m.prices, m.quantities, string_to_array(m.marks, null) collate "C")
      with ordinality as c(price, quantity, mark, place)
    where m.epoch_id = state.epoch_id and m.message_seq > state.snapshot_seq and m.message_seq <= state.message_seq
      and m.received_time >= state.snapshot_time - booktape.clock_step()
      and m.received_time <= state.message_time + booktape.clock_step()
    order by 1, 2, m.message_seq desc, c.place desc
  ),
  -- No message stands between those of a chunk, so a chunk is before or after every other as a whole. Of each price its last
  -- change is found by comparing integers, and only those become numerics.
  settled as (
    select x.is_bid, coalesce(x.exact_price, trim_scale(x.price * c.price_unit)) as price,
      coalesce(x.exact_quantity, trim_scale(x.quantity * c.quantity_unit)) as quantity, c.first_seq as message_seq
    from booktape.book_chunks c
    -- Only the first and the last chunk are asked which of their changes count.
    cross join lateral (
      select case
        when c.first_seq > state.snapshot_seq and c.last_seq <= state.message_seq then array[1, octet_length(c.marks)]
        else (
          select array[min(m.first_place), max(m.last_place)]::integer[]
          from (
            select sum(s.seq_step) over along as message_seq, sum(s.change_count) over along as last_place,
              sum(s.change_count) over along - s.change_count + 1 as first_place
            from unnest(c.seq_steps, c.change_counts) with ordinality as s(seq_step, change_count, place)
            window along as (order by s.place rows unbounded preceding)
          ) m
          where m.message_seq > state.snapshot_seq and m.message_seq <= state.message_seq
        )
      end as places
      offset 0
    ) b
    cross join lateral (
      select distinct on (u.mark >= 'a', u.price, u.exact_price) u.mark >= 'a' as is_bid, u.price, u.exact_price,
        u.quantity, u.exact_quantity
      from unnest(c.prices[b.places[1]:b.places[2]], c.exact_prices[b.places[1]:b.places[2]],
        c.quantities[b.places[1]:b.places[2]], c.exact_quantities[b.places[1]:b.places[2]],
        string_to_array(substr(c.marks, b.places[1], b.places[2] - b.places[1] + 1), null) collate "C")
        with ordinality as u(price, exact_price, quantity, exact_quantity, mark, place)
      order by 1, 2, 3, u.place desc
    ) x
    where c.epoch_id = state.epoch_id and c.first_seq <= state.message_seq and c.last_seq > state.snapshot_seq
      and c.received_from >= state.snapshot_time - booktape.clock_step() - booktape.chunk_span()
      and c.received_from <= state.message_time + booktape.clock_step()
      and b.places[2] >= b.places[1]
  ),
  changed as materialized (
    select distinct on (e.is_bid, e.price) case when e.is_bid then 'bid' else 'ask' end as side, e.price, e.quantity
    from (select * from fresh union all select * from settled) e
    where e.is_bid = any (array(select o.side = 'bid' from unnest(of_sides) as o(side)))
    order by e.is_bid, e.price, e.message_seq desc
  ),
  snapshot as (
    select s.bid_prices, s.bid_quantities, s.ask_prices, s.ask_quantities
    from booktape.book_snapshots s
    where s.epoch_id = state.epoch_id and s.message_seq = state.snapshot_seq and s.received_time = state.snapshot_time
    limit 1
  ),
  whole as (
    select o.side, o.place, case o.side when 'bid' then s.bid_prices else s.ask_prices end as prices,
      case o.side when 'bid' then s.bid_quantities else s.ask_quantities end as quantities
    from snapshot s cross join unnest(of_sides) with ordinality as o(side, place)
  ),
  -- A changed price takes away at most one of the snapshot's levels: the best `max_levels` are among that many more.
  reach as (
    select w.*, least(max_levels + (select count(*) from changed c where c.side = w.side), cardinality(w.prices))::integer as depth
    from whole w
  ),
  latest as (
    select distinct on (place, sort_key) place, sort_key, side, price, quantity
    from (
      select w.place, case c.side when 'bid' then -c.price else c.price end as sort_key, c.side, c.price, c.quantity, true as is_changed
      from changed c join whole w using (side)
      union all
      select r.place, case r.side when 'bid' then -l.price else l.price end, r.side, l.price, l.quantity, false
      from reach r cross join lateral unnest(r.prices[1:r.depth], r.quantities[1:r.depth]) as l(price, quantity)
    ) every
    order by place, sort_key, is_changed desc
  ),
  numbered as (
    select l.*, row_number() over (partition by l.place order by l.sort_key) as level
    from latest l
    where l.quantity > 0
  )
  select n.side, n.level::integer, n.price, n.quantity
  from numbered n
  where n.level <= coalesce(max_levels, 2147483647)
  order by n.place, n.level;
end
$$;

-- One side of the book in a state, best level first, numbered from 1. `max_levels` null: all of it.
create function booktape.levels(of_side text, state booktape.book_state, max_levels integer)
returns table (side text, level integer, price numeric, quantity numeric)
language sql stable as $$
  select l.side, l.level, l.price, l.quantity from booktape.book_levels(array[of_side], state, max_levels) l
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
      message = format('the book of %s at %s is not stored whole: epoch %s has no snapshot before it any more, or lacks a message since',
        of_symbol, booktape.spoken(at_time), epoch);
  end if;
  return state;
end
$$;

-- The book as of `at` by receive time: bids best first, then asks best first.
create function market.book_at(symbol text, at timestamptz, depth integer default null, feed text default null)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
begin
  return query
  select l.side, l.level, l.price, l.quantity
  from booktape.book_levels('{bid,ask}', booktape.proven_state_at(symbol, at, depth, feed), depth) l;
end
$$;

-- The book after the last message of an epoch whose update id is at most `update_id`. Raises BT001 where a message up to it is missing,
-- and names the epoch that has it where another line keeps it.
create function market.book_at_update(symbol text, epoch_id uuid, update_id bigint, depth integer default null)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
#variable_conflict use_column
declare
  epoch record;
  state booktape.book_state;
  missing record;
  elsewhere record;
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
  select g.gap_id, g.from_id, g.to_id into missing
  from booktape.gaps g
  where g.epoch_id = book_at_update.epoch_id and g.message_seq > state.snapshot_seq
    and (g.from_id is null or g.from_id < book_at_update.update_id)
  order by g.message_seq
  limit 1;
  if found then
    raise exception using errcode = 'BT001',
      message = format('the book of %s after update %s is not known: gap %s (unstorable) of epoch %s from %s to %s', book_at_update.symbol,
        book_at_update.update_id, missing.gap_id, book_at_update.epoch_id, missing.from_id, coalesce(missing.to_id::text, 'now'));
  end if;
  select o.kept_epoch_id, e.line into elsewhere
  from booktape.omitted_runs o left join booktape.epochs e on e.epoch_id = o.kept_epoch_id
  where o.epoch_id = book_at_update.epoch_id and o.last_seq > state.snapshot_seq and o.first_update_id <= book_at_update.update_id
  order by o.first_seq
  limit 1;
  if found then
    raise exception using errcode = 'BT001',
      message = format('the book of %s after update %s is not kept in epoch %s: the same is in epoch %s of line %s', book_at_update.symbol,
        book_at_update.update_id, book_at_update.epoch_id, elsewhere.kept_epoch_id, elsewhere.line);
  end if;
  return query select l.side, l.level, l.price, l.quantity from booktape.book_levels('{bid,ask}', state, depth) l;
end
$$;

-- Settled storage (docs/adr/0007-settled-chunks.md). A message is written as a row of book_messages, and some time later moved
-- into a chunk: one row for a run of messages of one epoch, a column of numbers for each of their fields.

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
create table booktape.book_chunks_default partition of booktape.book_chunks default;

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

-- As in 0001, of the chunks too.
create or replace function booktape.make_partitions(first_day date, days integer) returns integer
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

-- Every chunk lies within one hour of our clock, so those of a span are found by when they begin.
create function booktape.chunk_span() returns interval
language sql immutable parallel safe
return interval '1 hour';

-- The messages of the chunks, without their changes; whoever reads says by the chunk's own columns (those that begin with `chunk_`)
-- which chunks can hold what is asked for. `first_place` is that of its first change in the chunk, from 1.
create view booktape.settled_messages as
select c.epoch_id, c.symbol, c.feed, c.line, c.received_from as chunk_from, c.received_to as chunk_to,
  c.first_seq as chunk_first_seq, c.last_seq as chunk_last_seq, c.least_update_id as chunk_least_id,
  m.message_seq, m.update_id - m.id_span as first_update_id, m.update_id, m.event_time_ns, m.received_time_ns,
  booktape.instant(m.received_time_ns) as received_time, m.first_place, m.change_count
from booktape.book_chunks c
cross join lateral (
  select sum(s.seq_step) over along::bigint as message_seq, sum(s.id_step + s.id_span) over along::bigint as update_id, s.id_span,
    case when s.event_step is not null then sum(s.event_step) over along::bigint end as event_time_ns,
    sum(s.received_step) over along::bigint as received_time_ns,
    (sum(s.change_count) over along - s.change_count + 1)::integer as first_place, s.change_count
  from unnest(c.seq_steps, c.id_steps, c.id_spans, c.event_steps, c.received_steps, c.change_counts)
    with ordinality as s(seq_step, id_step, id_span, event_step, received_step, change_count, place)
  window along as (order by s.place rows unbounded preceding)
) m;

-- The changes of the chunks, one row each, with the chunk's own columns as above.
create view booktape.settled_changes as
select c.epoch_id, c.symbol, c.feed, c.line, c.received_from as chunk_from, c.received_to as chunk_to,
  c.first_seq as chunk_first_seq, c.last_seq as chunk_last_seq,
  every.message_seq[at.message] as message_seq, (x.place - every.first_place[at.message])::integer as change_index,
  every.update_id[at.message] as update_id, every.event_time[at.message] as event_time,
  every.event_time_ns[at.message] as event_time_ns, every.received_time[at.message] as received_time,
  every.received_time_ns[at.message] as received_time_ns, x.mark,
  coalesce(x.exact_price, trim_scale(x.price * c.price_unit)) as price,
  coalesce(x.exact_quantity, trim_scale(x.quantity * c.quantity_unit)) as quantity
from booktape.book_chunks c
-- What the messages hold is summed up once a chunk; each change then picks that of its message by number.
cross join lateral (
  select array_agg(m.message_seq order by m.place) as message_seq, array_agg(m.update_id order by m.place) as update_id,
    array_agg(m.event_time_ns order by m.place) as event_time_ns,
    array_agg(booktape.instant(m.event_time_ns) order by m.place) as event_time,
    array_agg(m.received_time_ns order by m.place) as received_time_ns,
    array_agg(booktape.instant(m.received_time_ns) order by m.place) as received_time,
    array_agg(m.first_place order by m.place) as first_place
  from (
    select s.place, sum(s.seq_step) over along::bigint as message_seq,
      sum(s.id_step + s.id_span) over along::bigint as update_id,
      case when s.event_step is not null then sum(s.event_step) over along::bigint end as event_time_ns,
      sum(s.received_step) over along::bigint as received_time_ns,
      (sum(s.change_count) over along - s.change_count + 1)::integer as first_place
    from unnest(c.seq_steps, c.id_steps, c.id_spans, c.event_steps, c.received_steps, c.change_counts)
      with ordinality as s(seq_step, id_step, id_span, event_step, received_step, change_count, place)
    window along as (order by s.place rows unbounded preceding)
  ) m
) every
cross join lateral unnest(c.prices, c.exact_prices, c.quantities, c.exact_quantities, string_to_array(c.marks, null))
  with ordinality as x(price, exact_price, quantity, exact_quantity, mark, place)
-- The last message that begins at or before its place: those without changes begin where the next one does.
cross join lateral (select width_bucket(x.place::integer, every.first_place) as message offset 0) at;

create or replace view market.book_changes as
select m.symbol, m.feed, m.line, m.epoch_id, m.message_seq, (c.place - 1)::integer as change_index, m.update_id,
  booktape.instant(m.event_time_ns) as event_time, m.event_time_ns, m.received_time, m.received_time_ns,
  booktape.mark_side(c.mark) as side, c.price, c.quantity, booktape.mark_reason(c.mark) as reason, false as is_snapshot
from booktape.book_messages m
cross join lateral unnest(m.prices, m.quantities, string_to_array(m.marks, null))
  with ordinality as c(price, quantity, mark, place)
union all
select c.symbol, c.feed, c.line, c.epoch_id, c.message_seq, c.change_index, c.update_id, c.event_time, c.event_time_ns,
  c.received_time, c.received_time_ns, booktape.mark_side(c.mark), c.price, c.quantity, booktape.mark_reason(c.mark), false
from booktape.settled_changes c
union all
select s.symbol, s.feed, s.line, s.epoch_id, s.message_seq, l.change_index, s.update_id,
  booktape.instant(s.event_time_ns), s.event_time_ns, s.received_time, s.received_time_ns,
  l.side, l.price, l.quantity, 'initial', true
from booktape.book_snapshots s
cross join lateral (
  select 'bid' as side, b.price, b.quantity, (b.place - 1)::integer as change_index
  from unnest(s.bid_prices, s.bid_quantities) with ordinality as b(price, quantity, place)
  union all
  select 'ask', a.price, a.quantity, (cardinality(s.bid_prices) + a.place - 1)::integer
  from unnest(s.ask_prices, s.ask_quantities) with ordinality as a(price, quantity, place)
) l
where s.reason = 'initial';

-- The last id of an epoch that has not ended is that of its newest message, settled or not.
create or replace view market.epochs as
select e.epoch_id, e.session_id, e.line, e.symbol, e.feed, e.started_at, e.ended_at, e.first_update_id,
  case when e.ended_at is not null then e.last_update_id else coalesce(
    (select newest.update_id from (
      (select m.update_id, m.message_seq from booktape.book_messages m
       where m.epoch_id = e.epoch_id and m.received_time >= e.started_at - booktape.clock_step() order by m.message_seq desc limit 1)
      union all
      (select c.last_update_id, c.last_seq from booktape.book_chunks c
       where c.epoch_id = e.epoch_id and c.received_from >= e.started_at - booktape.clock_step() - booktape.chunk_span()
       order by c.last_seq desc limit 1)
     ) newest order by newest.message_seq desc limit 1),
    (select s.update_id from booktape.book_snapshots s
     where s.epoch_id = e.epoch_id and s.received_time >= e.started_at - booktape.clock_step() order by s.message_seq desc limit 1),
    e.first_update_id
  ) end as last_update_id,
  e.end_reason
from booktape.epochs e;

-- As in 0007, of settled messages too.
create or replace function booktape.state_at(of_symbol text, of_epoch uuid, at_time timestamptz) returns booktape.book_state
language plpgsql stable as $$
declare
  state booktape.book_state;
  newest record;
  -- Messages of chunks are compared by numbers: to make an instant of each would cost more than all the rest.
  from_ns bigint;
  until_ns bigint;
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
  from_ns := booktape.nanoseconds(state.snapshot_time);
  until_ns := booktape.nanoseconds(least(at_time, '2262-01-01 00:00:00+00')) + 1000;
  select every.* into newest from (
    (select m.received_time, m.message_seq, m.update_id, m.event_time_ns
     from booktape.book_messages m
     where m.symbol = of_symbol and m.epoch_id = of_epoch
       and m.received_time >= state.snapshot_time and m.received_time <= at_time
     order by m.received_time desc, m.message_seq desc
     limit 1)
    union all
    -- It is in a chunk that goes on after the instant, or in the last one that does not.
    (select m.received_time, m.message_seq, m.update_id, m.event_time_ns
     from booktape.settled_messages m
     where m.epoch_id = of_epoch and m.chunk_from <= at_time and m.chunk_from >= state.snapshot_time - booktape.chunk_span()
       and (m.chunk_to > at_time or m.chunk_to = (
         select max(c.received_to) from booktape.book_chunks c
         where c.epoch_id = of_epoch and c.received_to >= state.snapshot_time and c.received_to <= at_time
           and c.received_from <= at_time and c.received_from >= state.snapshot_time - booktape.chunk_span()))
       and m.received_time_ns >= from_ns and m.received_time_ns < until_ns
     order by m.received_time_ns / 1000 desc, m.message_seq desc
     limit 1)
  ) every
  order by every.received_time desc, every.message_seq desc
  limit 1;
  if found and newest.message_seq > state.snapshot_seq then
    state.message_time := newest.received_time;
    state.message_seq := newest.message_seq;
    state.update_id := newest.update_id;
    state.event_time_ns := newest.event_time_ns;
    if booktape.lacks_message(of_epoch, state.snapshot_seq, state.message_seq) then
      return null;
    end if;
  end if;
  return state;
end
$$;

-- As in 0003, of settled messages too.
create or replace function booktape.state_after(of_epoch uuid, of_update bigint) returns booktape.book_state
language plpgsql stable as $$
declare
  state booktape.book_state;
  later record; -- the first snapshot with a later id: no message after it can count
  until_seq bigint;
  until_time timestamptz;
  newest record;
  began timestamptz;
  ended timestamptz;
begin
  select e.started_at - booktape.clock_step(), coalesce(e.ended_at + booktape.clock_step(), 'infinity') into began, ended
  from booktape.epochs e where e.epoch_id = of_epoch;
  select s.epoch_id, s.received_time, s.message_seq, s.received_time, s.message_seq, s.update_id, s.event_time_ns into state
  from booktape.book_snapshots s
  where s.epoch_id = of_epoch and s.update_id <= of_update
    and s.received_time >= began and s.received_time <= ended
  order by s.message_seq desc
  limit 1;
  if not found then
    return null;
  end if;
  select s.message_seq, s.received_time into later
  from booktape.book_snapshots s
  where s.epoch_id = of_epoch and s.update_id > of_update and s.message_seq >= state.snapshot_seq
    and s.received_time >= state.snapshot_time - booktape.clock_step() and s.received_time <= ended
  order by s.message_seq
  limit 1;
  until_seq := coalesce(later.message_seq, 9223372036854775807);
  until_time := coalesce(later.received_time + booktape.clock_step(), ended);
  select every.* into newest from (
    (select m.received_time, m.message_seq, m.update_id, m.event_time_ns
     from booktape.book_messages m
     where m.epoch_id = of_epoch and m.message_seq > state.snapshot_seq and m.update_id <= of_update
       and m.received_time >= state.snapshot_time - booktape.clock_step()
       and m.message_seq <= until_seq and m.received_time <= until_time
     order by m.message_seq desc
     limit 1)
    union all
    -- It is in the last chunk that holds such an id, or in one that runs beside it.
    (select m.received_time, m.message_seq, m.update_id, m.event_time_ns
     from booktape.settled_messages m
     where m.epoch_id = of_epoch and m.chunk_least_id <= of_update
       and m.chunk_first_seq <= until_seq and m.chunk_last_seq > state.snapshot_seq
       and m.chunk_from >= state.snapshot_time - booktape.clock_step() - booktape.chunk_span() and m.chunk_from <= until_time
       and m.chunk_last_seq >= (
         select max(c.first_seq) from booktape.book_chunks c
         where c.epoch_id = of_epoch and c.least_update_id <= of_update and c.first_seq <= until_seq
           and c.received_from >= state.snapshot_time - booktape.clock_step() - booktape.chunk_span()
           and c.received_from <= until_time)
       and m.message_seq > state.snapshot_seq and m.message_seq <= until_seq and m.update_id <= of_update
     order by m.message_seq desc
     limit 1)
  ) every
  order by every.message_seq desc
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
create or replace function booktape.levels(of_side text, state booktape.book_state, max_levels integer)
returns table (side text, level integer, price numeric, quantity numeric)
language sql stable as $$
  select l.side, l.level, l.price, l.quantity from booktape.book_levels(array[of_side], state, max_levels) l
$$;

-- As in 0003, both sides from one look.
create or replace function market.book_at(symbol text, at timestamptz, depth integer default null, feed text default null)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
begin
  return query
  select l.side, l.level, l.price, l.quantity
  from booktape.book_levels('{bid,ask}', booktape.proven_state_at(symbol, at, depth, feed), depth) l;
end
$$;

-- As in 0007, of settled messages too.
create or replace function market.changes_between(symbol text, from_time timestamptz, to_time timestamptz, feed text default null)
returns setof market.book_changes
language plpgsql stable as $$
#variable_conflict use_column
declare
  instant timestamptz := from_time;
  epoch booktape.known_epochs;
  state booktape.book_state;
  final booktape.book_state; -- of the epoch within the span asked for
  is_beginning boolean; -- of the epoch, not of what is known of it after something missing
  given_ns bigint;
  bids bigint;
begin
  perform booktape.check_question(changes_between.symbol, from_time, null, changes_between.feed);
  if to_time is null or to_time < from_time then
    raise exception using errcode = '22023', message = format('to_time must not lie before from_time, %s', from_time);
  end if;
  feed := coalesce(changes_between.feed, booktape.feed_from(changes_between.symbol, from_time, to_time));
  select e.* into epoch from booktape.known_epochs e
  where e.epoch_id = booktape.epoch_at(changes_between.symbol, from_time, changes_between.feed) and from_time < to_time
    and e.started_at <= from_time and e.known_until >= from_time;
  if not found then
    epoch := booktape.next_epoch(changes_between.symbol, changes_between.feed, null, from_time, to_time);
  end if;

  while epoch.epoch_id is not null loop
    -- A span that begins within its epoch begins with the book as of then.
    is_beginning := epoch.started_at = (select e.started_at from booktape.epochs e where e.epoch_id = epoch.epoch_id);
    state := null;
    if epoch.started_at < instant or not is_beginning then
      instant := greatest(instant, epoch.started_at);
      state := booktape.state_at(changes_between.symbol, epoch.epoch_id, instant);
      given_ns := booktape.nanoseconds(instant);
    end if;
    if state.epoch_id is null and is_beginning then
      state := booktape.first_state(epoch.epoch_id);
      instant := greatest(instant, state.snapshot_time);
      select s.received_time_ns into given_ns
      from booktape.book_snapshots s
      where s.epoch_id = state.epoch_id and s.message_seq = state.snapshot_seq and s.received_time = state.snapshot_time
      limit 1;
    end if;

    if instant < to_time and instant <= epoch.known_until and state.epoch_id is not null then
      return query
      select epoch.symbol, epoch.feed, epoch.line, epoch.epoch_id, state.message_seq, l.level - 1, state.update_id,
        booktape.instant(state.event_time_ns), state.event_time_ns, instant, given_ns, l.side, l.price, l.quantity, 'initial', true
      from booktape.levels('bid', state, null) l;
      get diagnostics bids = row_count;
      return query
      select epoch.symbol, epoch.feed, epoch.line, epoch.epoch_id, state.message_seq, (bids + l.level - 1)::integer, state.update_id,
        booktape.instant(state.event_time_ns), state.event_time_ns, instant, given_ns, l.side, l.price, l.quantity, 'initial', true
      from booktape.levels('ask', state, null) l;
      final := booktape.state_at(epoch.symbol, epoch.epoch_id, least(epoch.known_until, to_time - interval '1 microsecond'));
      return query
      select c.*
      from booktape.changes_of(epoch.epoch_id, state.message_seq, final.message_seq, state.snapshot_time, final.message_time) c
      order by c.message_seq, c.change_index;
    end if;

    exit when epoch.known_until >= to_time;
    instant := epoch.known_until;
    epoch := booktape.next_epoch(epoch.symbol, epoch.feed, epoch.line, instant, to_time);
  end loop;
end
$$;

-- Settling. Rows are moved by an insert and a delete of one transaction, so a reader sees each message once, whatever the
-- instant it looks from; the emptied partition is dropped when nobody can look from before any more.

-- What is older may be settled: hours that ended ten minutes ago. While a journal that stored something within a day has
-- not got that far, its hours wait for it, so that they become full chunks; rows that come later still are settled alone.
create function booktape.settleable_before(at_time timestamptz default now()) returns timestamptz
language sql stable
return date_bin(booktape.chunk_span(), least(at_time - interval '10 minutes', (
  select min(j.recorded_until) from booktape.journals j where j.recorded_until > at_time - interval '24 hours'
)), timestamptz '1970-01-01 00:00:00+00');

-- Days whose messages were settled, and by which transaction last: until when somebody may still see them as rows.
create table booktape.settled_days (
  day date primary key,
  settled_by xid8 not null
);

-- The symbols that have messages to be settled.
create function booktape.unsettled_symbols(before timestamptz) returns setof text
language sql stable as $$
  with recursive found as (
    (select m.symbol from booktape.book_messages m order by m.symbol limit 1)
    union all
    select (select m.symbol from booktape.book_messages m where m.symbol > f.symbol order by m.symbol limit 1)
    from found f
    where f.symbol is not null
  )
  select f.symbol
  from found f
  where exists (select from booktape.book_messages m where m.symbol = f.symbol and m.received_time < before)
$$;

-- The digits after the point that all of a run's values have room in; null where no bigint holds one of them so, or where one
-- is not written in the canonical way, which must come back as it is.
create function booktape.common_scale(most_digits integer, largest numeric, are_canonical boolean) returns integer
language sql immutable parallel safe
return case when are_canonical and largest * ('1e' || most_digits)::numeric <= 9223372036854775807 then most_digits end;

create function booktape.unit_of(digits integer) returns numeric
language sql immutable strict parallel safe
return ('1e-' || digits)::numeric;

create function booktape.scaled(given numeric[], digits integer) returns bigint[]
language sql immutable strict parallel safe
return array(
  select (g.value * ('1e' || digits)::numeric)::bigint from unnest(given) with ordinality as g(value, place) order by g.place
);

-- Settles the oldest messages of a symbol that were received before an instant, of one hour and about `most_messages` at most.
-- Zeros: nothing is left, or another transaction is at it.
create function booktape.settle(of_symbol text, before timestamptz, most_messages integer)
returns table (messages bigint, changes bigint, chunks bigint)
language plpgsql as $$
#variable_conflict use_column
declare
  chunk_changes constant integer := 2000; -- docs/adr/0007-settled-chunks.md has what other sizes cost
  first_time timestamptz;
  until timestamptz;
  full_at timestamptz;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('booktape settles ' || of_symbol, 0)) then
    return query select 0::bigint, 0::bigint, 0::bigint;
    return;
  end if;
  select m.received_time into first_time from booktape.book_messages m
  where m.symbol = of_symbol and m.received_time < before order by m.received_time limit 1;
  if not found then
    return query select 0::bigint, 0::bigint, 0::bigint;
    return;
  end if;
  until := least(before, date_bin(booktape.chunk_span(), first_time, timestamptz '1970-01-01 00:00:00+00') + booktape.chunk_span());
  select m.received_time into full_at from booktape.book_messages m
  where m.symbol = of_symbol and m.received_time > first_time and m.received_time < until
  order by m.received_time offset most_messages limit 1;
  until := coalesce(full_at, until);
  perform booktape.make_partition('book_chunks', (first_time at time zone 'UTC')::date);
  insert into booktape.settled_days as d values ((first_time at time zone 'UTC')::date, pg_current_xact_id())
  on conflict (day) do update set settled_by = greatest(d.settled_by, excluded.settled_by);

  return query
  with moved as (
    delete from booktape.book_messages m
    where m.symbol = of_symbol and m.received_time >= first_time and m.received_time < until
    returning m.*
  ),
  -- Where our clock was set back, messages of another hour may stand between these. Chunks never overlap: such messages get
  -- one each.
  mixed as (
    select r.epoch_id
    from (select m.epoch_id, min(m.message_seq) as first_seq, max(m.message_seq) as last_seq from moved m group by m.epoch_id) r
    where exists (select from booktape.book_messages o
        where o.epoch_id = r.epoch_id and o.message_seq < r.last_seq and o.received_time >= until)
      or exists (select from booktape.book_chunks c
        where c.epoch_id = r.epoch_id and c.first_seq > r.first_seq and c.first_seq < r.last_seq)
  ),
  placed as (
    select m.*, case
      when m.epoch_id in (select x.epoch_id from mixed x) then m.message_seq
      else (sum(cardinality(m.prices)) over along - cardinality(m.prices)) / chunk_changes
    end as chunk
    from moved m
    window along as (partition by m.epoch_id order by m.message_seq rows unbounded preceding)
  ),
  stepped as (
    select p.epoch_id, p.chunk, p.message_seq, p.update_id, p.received_time, p.symbol, p.feed, p.line, p.marks,
      cardinality(p.prices) as change_count,
      p.message_seq - lag(p.message_seq, 1, 0::bigint) over along as seq_step,
      p.first_update_id - lag(p.update_id, 1, 0::bigint) over along as id_step,
      p.update_id - p.first_update_id as id_span,
      p.event_time_ns - lag(p.event_time_ns, 1, 0::bigint) over
        (partition by p.epoch_id, p.chunk, p.event_time_ns is null order by p.message_seq) as event_step,
      p.received_time_ns - lag(p.received_time_ns, 1, 0::bigint) over along as received_step
    from placed p
    window along as (partition by p.epoch_id, p.chunk order by p.message_seq)
  ),
  runs as (
    select s.epoch_id, s.chunk, min(s.received_time) as received_from, max(s.received_time) as received_to,
      min(s.message_seq) as first_seq, max(s.message_seq) as last_seq, min(s.update_id) as least_update_id,
      (array_agg(s.update_id order by s.message_seq desc))[1] as last_update_id,
      min(s.symbol) as symbol, min(s.feed) as feed, min(s.line) as line,
      array_agg(s.seq_step order by s.message_seq) as seq_steps, array_agg(s.id_step order by s.message_seq) as id_steps,
      array_agg(s.id_span order by s.message_seq) as id_spans, array_agg(s.event_step order by s.message_seq) as event_steps,
      array_agg(s.received_step order by s.message_seq) as received_steps,
      array_agg(s.change_count order by s.message_seq) as change_counts,
      string_agg(s.marks, '' order by s.message_seq) as marks, count(*) as messages, sum(s.change_count) as changes
    from stepped s
    group by s.epoch_id, s.chunk
  ),
  unfolded as (
    select p.epoch_id, p.chunk,
      array_agg(c.price order by p.message_seq, c.place) as prices, array_agg(c.quantity order by p.message_seq, c.place) as quantities,
      booktape.common_scale(max(scale(c.price)), max(abs(c.price)), bool_and(scale(c.price) = min_scale(c.price))) as price_scale,
      booktape.common_scale(max(scale(c.quantity)), max(abs(c.quantity)), bool_and(scale(c.quantity) = min_scale(c.quantity))) as quantity_scale
    from placed p cross join lateral unnest(p.prices, p.quantities) with ordinality as c(price, quantity, place)
    group by p.epoch_id, p.chunk
  ),
  settled as (
    insert into booktape.book_chunks
    select r.received_from, r.received_to, r.epoch_id, r.first_seq, r.last_seq, r.least_update_id, r.last_update_id,
      r.symbol, r.feed, r.line, r.seq_steps, r.id_steps, r.id_spans, r.event_steps, r.received_steps, r.change_counts, r.marks,
      booktape.unit_of(u.price_scale), booktape.scaled(u.prices, u.price_scale), case when u.price_scale is null then u.prices end,
      booktape.unit_of(u.quantity_scale), booktape.scaled(u.quantities, u.quantity_scale),
      case when u.quantity_scale is null then u.quantities end
    from runs r
    join (
      select * from unfolded
      union all
      select r.epoch_id, r.chunk, '{}', '{}', 0, 0 from runs r where r.changes = 0
    ) u using (epoch_id, chunk)
  )
  select sum(r.messages)::bigint, sum(r.changes)::bigint, count(*) from runs r;
end
$$;

-- Drops the partitions of days before one whose messages are all settled, once no transaction is left that began before they
-- were; gives how many. What is received late for such a day goes to the default partition and is settled from there.
create function booktape.drop_emptied(before date) returns integer
language plpgsql as $$
declare
  emptied record;
  is_empty boolean;
  dropped integer := 0;
begin
  for emptied in
    select d.day, format('book_messages_%s', to_char(d.day, 'YYYYMMDD')) as partition from booktape.settled_days d
    where d.day < before and d.settled_by < pg_snapshot_xmin(pg_current_snapshot())
      and not exists (select from pg_stat_activity a where age(a.backend_xmin) >= age(d.settled_by::xid))
  loop
    if to_regclass('booktape.' || emptied.partition) is not null then
      -- A writer that is late for this day waits, and then finds the default partition.
      execute format('lock table booktape.%I in share mode', emptied.partition);
      execute format('select not exists (select from booktape.%I)', emptied.partition) into is_empty;
      continue when not is_empty;
      execute format('drop table booktape.%I', emptied.partition);
      dropped := dropped + 1;
    end if;
    delete from booktape.settled_days d where d.day = emptied.day;
  end loop;
  return dropped;
end
$$;

-- Rights as in 0006: whoever reads schema market reads what is behind it.
do $$
begin
  if to_regrole('booktape_reader') is not null then
    grant select on booktape.book_chunks, booktape.settled_messages, booktape.settled_changes to booktape_reader;
  end if;
  revoke execute on function booktape.make_partition(text, date), booktape.settle(text, timestamptz, integer),
    booktape.unsettled_symbols(timestamptz), booktape.drop_emptied(date) from public;
end
$$;

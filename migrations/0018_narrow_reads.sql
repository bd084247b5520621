-- No question reads more than it asks for, and none is planned anew each time.
--
-- Each statement below gets one plan that fits every question, made once in a session: to plan again for the values of each question
-- takes longer than to answer it where there are partitions of some weeks, and no time is won by it. So a plan must be right without
-- knowing the values, and three things misled Postgres, which narrow-reads.test.ts counts.
--
--   * The chunks of some messages were looked for by "begins before the last, ends after the first", which finds the last one by the
--     key, but not the first: all of the epoch's were read. The first is now found by itself, one step down the key; as no two of an
--     epoch overlap, each further one begins after it.
--   * A time between two bounds is taken for a narrow span, half a percent of a table. Where the bounds only choose the days to look
--     in, they let everything in, and a plan that goes by the index on times reads all that is not settled yet. Written as
--     `<= any (array[…])` a bound chooses partitions as well, and the span is not taken for a narrow one.
--   * An epoch was looked for by `epoch_id = booktape.epoch_at(…)`: where epochs are few enough to be read one after another, that asks for
--     each of them which one it is.

-- The first message of the chunk that may hold the one after `after_seq`; chunks that begin before are over by then. The message itself
-- was received between the two times; they choose the days to look in.
create function booktape.first_chunk(of_epoch uuid, after_seq bigint, from_time timestamptz, to_time timestamptz) returns bigint
language plpgsql stable as $$
begin
  return coalesce((
    select c.first_seq
    from booktape.book_chunks c
    where c.epoch_id = of_epoch and c.first_seq <= after_seq
      and c.received_from >= from_time - booktape.clock_step() - booktape.chunk_span()
      and c.received_from <= any (array[to_time + booktape.clock_step()])
    order by c.first_seq desc
    limit 1
  ), after_seq);
end
$$;

-- The changes of an epoch after one message and up to another, settled or not, in no order. The times are those
-- of the two and choose the days to look in.
create or replace function booktape.changes_of(
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
    and m.received_time >= from_time - booktape.clock_step() and m.received_time <= any (array[to_time + booktape.clock_step()])
  union all
  select c.symbol, c.feed, c.line, c.epoch_id, c.message_seq, c.change_index, c.update_id, c.event_time, c.event_time_ns,
    c.received_time, c.received_time_ns, booktape.mark_side(c.mark), c.price, c.quantity, booktape.mark_reason(c.mark), false
  from booktape.settled_changes c
  where c.epoch_id = of_epoch and c.chunk_first_seq >= (select booktape.first_chunk(of_epoch, after_seq, from_time, to_time))
    and c.chunk_first_seq <= last_seq and c.chunk_last_seq > after_seq
    and c.chunk_from >= from_time - booktape.clock_step() - booktape.chunk_span()
    and c.chunk_from <= any (array[to_time + booktape.clock_step()])
    and c.message_seq > after_seq and c.message_seq <= last_seq
$$;

-- The sides named of the book in a state, one after another: each best level first, numbered from 1. Both are made of one
-- look at the changes. `max_levels` null: all of them.
create or replace function booktape.book_levels(of_sides text[], state booktape.book_state, max_levels integer)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
#variable_conflict use_column
declare
  from_seq bigint := booktape.first_chunk(state.epoch_id, state.snapshot_seq, state.snapshot_time, state.snapshot_time);
begin
  return query
  with fresh as (
    select distinct on (c.mark >= 'a', c.price) c.mark >= 'a' as is_bid, c.price, c.quantity, m.message_seq
    from booktape.book_messages m
    cross join lateral unnest(m.prices, m.quantities, string_to_array(m.marks, null) collate "C")
      with ordinality as c(price, quantity, mark, place)
    where m.epoch_id = state.epoch_id and m.message_seq > state.snapshot_seq and m.message_seq <= state.message_seq
      and m.received_time >= state.snapshot_time - booktape.clock_step()
      and m.received_time <= any (array[state.message_time + booktape.clock_step()])
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
    where c.epoch_id = state.epoch_id and c.first_seq >= from_seq and c.first_seq <= state.message_seq and c.last_seq > state.snapshot_seq
      and c.received_from >= state.snapshot_time - booktape.clock_step() - booktape.chunk_span()
      and c.received_from <= any (array[state.message_time + booktape.clock_step()])
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

-- The state an epoch was in at an instant by receive time; null where no snapshot before it is stored (any more), or where a
-- message between the snapshot and the state is missing.
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
     where m.symbol = of_symbol and m.epoch_id = of_epoch
       and m.chunk_from <= at_time and m.chunk_from >= state.snapshot_time - booktape.chunk_span()
       and (m.chunk_to > at_time or m.chunk_to = (
         select max(c.received_to) from booktape.book_chunks c
         where c.symbol = of_symbol and c.epoch_id = of_epoch and c.received_to >= state.snapshot_time and c.received_to <= at_time
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

-- The state an epoch was in after its last message with an update id up to the given one; null where no snapshot before it is stored.
-- Whether a message in between is missing is for the caller to ask.
create or replace function booktape.state_after(of_epoch uuid, of_update bigint) returns booktape.book_state
language plpgsql stable as $$
declare
  state booktape.book_state;
  later record; -- the first snapshot with a later id: no message after it can count
  until_seq bigint;
  until_time timestamptz;
  newest record;
  from_seq bigint; -- of the first chunk that can count
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
  from_seq := booktape.first_chunk(of_epoch, state.snapshot_seq, state.snapshot_time, state.snapshot_time);
  select every.* into newest from (
    (select m.received_time, m.message_seq, m.update_id, m.event_time_ns
     from booktape.book_messages m
     where m.epoch_id = of_epoch and m.message_seq > state.snapshot_seq and m.update_id <= of_update
       and m.received_time >= state.snapshot_time - booktape.clock_step()
       and m.message_seq <= until_seq and m.received_time <= any (array[until_time])
     order by m.message_seq desc
     limit 1)
    union all
    -- It is in the last chunk that holds such an id, or in one that runs beside it.
    (select m.received_time, m.message_seq, m.update_id, m.event_time_ns
     from booktape.settled_messages m
     where m.epoch_id = of_epoch and m.chunk_least_id <= of_update
       and m.chunk_first_seq >= from_seq and m.chunk_first_seq <= until_seq and m.chunk_last_seq > state.snapshot_seq
       and m.chunk_from >= state.snapshot_time - booktape.clock_step() - booktape.chunk_span()
       and m.chunk_from <= any (array[until_time])
       and m.chunk_last_seq >= (
         select max(c.first_seq) from booktape.book_chunks c
         where c.epoch_id = of_epoch and c.least_update_id <= of_update and c.first_seq >= from_seq and c.first_seq <= until_seq
           and c.received_from >= state.snapshot_time - booktape.clock_step() - booktape.chunk_span()
           and c.received_from <= any (array[until_time]))
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

-- The last id of an epoch is written when it ends; until then it is that of its newest message, settled or not, or of its
-- first snapshot.
create or replace view market.epochs as
select e.epoch_id, e.session_id, e.line, e.symbol, e.feed, e.started_at, e.ended_at, e.first_update_id,
  case when e.ended_at is not null then e.last_update_id else coalesce(
    (select newest.update_id from (
      (select m.update_id, m.message_seq from booktape.book_messages m
       where m.epoch_id = e.epoch_id and m.received_time >= e.started_at - booktape.clock_step() order by m.message_seq desc limit 1)
      union all
      (select c.last_update_id, c.last_seq from booktape.book_chunks c
       where c.epoch_id = e.epoch_id and c.received_from >= e.started_at - booktape.clock_step() - booktape.chunk_span()
       order by c.first_seq desc limit 1)
     ) newest order by newest.message_seq desc limit 1),
    (select s.update_id from booktape.book_snapshots s
     where s.epoch_id = e.epoch_id and s.received_time >= e.started_at - booktape.clock_step() order by s.message_seq desc limit 1),
    e.first_update_id
  ) end as last_update_id,
  e.end_reason
from booktape.epochs e;

-- The venue's time of one message of an epoch, null where it gave none or the message changed nothing.
create function booktape.venue_time_of(of_epoch uuid, of_seq bigint, from_time timestamptz, to_time timestamptz) returns bigint
language plpgsql stable as $$
begin
  return (select max(c.event_time_ns) from booktape.changes_of(of_epoch, of_seq - 1, of_seq, from_time, to_time) c);
end
$$;

-- What liquidity cost the taker of each trade of [from_time, to_time) by the venue's time, in quote currency for one unit of base. Broken
-- trades are left out. With D = 1 for a buy and -1 for a sell, null for trades that nobody took:
--
--   effective spread  2 D (price - mid before)      realised spread  2 D (price - mid after the horizon)
--   price impact      2 D (mid after - mid before), so that effective = realised + impact
--
-- Trades and quotes meet by the venue's own time, because a trade may have come over another feed or later. `mid_before` is of the last
-- quote before the trade's nanosecond; on v1, which gives its quotes a time in milliseconds, before its millisecond. A mid
-- is null where the book is not known at that time or one side of it was empty, and before the first quote of an epoch that has a
-- time: v1's first message has none.
create or replace function market.realised_spread(
  symbol text, from_time timestamptz, to_time timestamptz, horizon interval, feed text default null
)
returns table (
  trade_id bigint, event_time timestamptz, event_time_ns bigint, taker_side text, price numeric, quantity numeric,
  mid_before numeric, mid_after numeric, effective_spread numeric, realised_spread numeric, price_impact numeric
)
language plpgsql stable as $$
#variable_conflict use_column
declare
  feed_chosen text;
  step_ns bigint;
  horizon_ns bigint;
begin
  perform booktape.check_question(realised_spread.symbol, from_time, null, realised_spread.feed);
  if to_time is null or to_time < from_time then
    raise exception using errcode = '22023', message = format('to_time must not lie before from_time, %s', from_time);
  elsif horizon is null or horizon <= interval '0' or extract(year from horizon) <> 0 or extract(month from horizon) <> 0 then
    raise exception using errcode = '22023',
      message = format('horizon must be above 0 and have no months or years, not %s', coalesce(horizon::text, 'null'));
  end if;
  feed_chosen := coalesce(realised_spread.feed, booktape.feed_from(realised_spread.symbol, from_time, to_time));
  step_ns := case feed_chosen when 'v1' then 1000000 else 1 end;
  horizon_ns := (extract(epoch from horizon) * 1000000000)::bigint;

  return query
  with taken as materialized (
    select t.trade_id, t.event_time, t.event_time_ns, t.taker_side, t.price, t.quantity,
      case t.taker_side when 'buy' then 2 when 'sell' then -2 end as twice
    from market.trades t
    where t.symbol = realised_spread.symbol and not t.broken and t.event_time >= from_time and t.event_time < to_time
  ),
  seen as materialized (
    select q.place, q.message_seq, (q.quote).epoch_id, (q.quote).event_time_ns, (q.quote).known_until, (q.quote).mid
    from booktape.quotes_of_spans(realised_spread.symbol, from_time - booktape.clock_distance(),
      to_time + horizon + booktape.clock_distance(), feed_chosen) q
    where (q.quote).event_time_ns is not null
  ),
  -- The venue's time of the newest message of each span: what it is known up to. A stored whole book has none of its own.
  proven as (
    select s.place, greatest(s.last_ns, coalesce(n.event_time_ns,
      booktape.venue_time_of(s.epoch_id, n.message_seq, n.snapshot_time, s.known_until))) as until_ns
    from (
      select place, epoch_id, max(event_time_ns) as last_ns, max(known_until) as known_until from seen group by place, epoch_id
    ) s
    cross join lateral booktape.state_at(realised_spread.symbol, s.epoch_id, s.known_until) n
  ),
  quotes as materialized (
    select row_number() over (order by s.event_time_ns, s.place, s.message_seq) as number, s.event_time_ns, s.mid,
      coalesce(lead(s.event_time_ns) over (partition by s.place order by s.event_time_ns, s.message_seq), p.until_ns) as until_ns
    from seen s join proven p using (place)
  ),
  points as (
    select trade_id, event_time_ns - event_time_ns % step_ns as ns, 0 as kind from taken -- before the quotes of its time
    union all
    select trade_id, event_time_ns + horizon_ns, 2 from taken -- after those of its time
  ),
  -- One pass over points and quotes: the number of quotes before a point is that of the one which stands there.
  passed as (
    select e.trade_id, e.ns, e.kind, count(*) filter (where e.kind = 1) over (order by e.ns, e.kind rows unbounded preceding) as number
    from (select trade_id, ns, kind from points union all select null, event_time_ns, 1 from quotes) e
  ),
  mids as (
    select x.trade_id, max(q.mid) filter (where x.kind = 0) as mid_before, max(q.mid) filter (where x.kind = 2) as mid_after
    from passed x
    join quotes q using (number)
    where x.kind <> 1 and x.ns <= q.until_ns
    group by x.trade_id
  )
  select t.trade_id, t.event_time, t.event_time_ns, t.taker_side, t.price, t.quantity, m.mid_before, m.mid_after,
    trim_scale(t.twice * (t.price - m.mid_before)), trim_scale(t.twice * (t.price - m.mid_after)),
    trim_scale(t.twice * (m.mid_after - m.mid_before))
  from taken t
  left join mids m using (trade_id)
  order by t.event_time_ns, t.trade_id;
end
$$;

-- Best bid and ask, null where the book has none; no row where the book is not known.
--
-- On v1 a quote is stored with each message that changes the top of the book, so the newest one of the epoch is the top, and no
-- level needs to be looked at: many times faster. Elsewhere, and where a quote since was refused, the book is asked.
create or replace function market.top_of_book_at(symbol text, at timestamptz, feed text default null)
returns table (bid_price numeric, bid_quantity numeric, ask_price numeric, ask_quantity numeric, mid numeric, spread numeric)
language plpgsql stable as $$
#variable_conflict use_column
declare
  epoch record;
  newest record;
  state booktape.book_state;
begin
  perform booktape.check_question(symbol, top_of_book_at.at, null, top_of_book_at.feed);
  select e.epoch_id, e.feed, e.started_at into epoch
  from booktape.epochs e
  where e.epoch_id = (select booktape.epoch_at(top_of_book_at.symbol, top_of_book_at.at, top_of_book_at.feed));
  if epoch.feed = 'v1' then
    select q.* into newest
    from booktape.quotes q
    where q.symbol = top_of_book_at.symbol and q.epoch_id = epoch.epoch_id and q.received_time <= top_of_book_at.at
      and q.received_time >= epoch.started_at - booktape.clock_step()
    order by q.received_time desc, q.message_seq desc
    limit 1;
    if found and not exists (
      select from booktape.quarantine r
      where r.symbol = top_of_book_at.symbol and r.feed = 'v1' and r.reason like 'unstorable row of quotes,%'
        and r.received_time >= newest.received_time and r.received_time <= top_of_book_at.at
    ) then
      return query select newest.bid_price, newest.bid_quantity, newest.ask_price, newest.ask_quantity,
        trim_scale((newest.bid_price + newest.ask_price) * 0.5), newest.ask_price - newest.bid_price;
      return;
    end if;
  end if;
  state := booktape.state_at(symbol, epoch.epoch_id, top_of_book_at.at);
  if state.epoch_id is not null then
    return query
    select max(l.price) filter (where l.side = 'bid'), max(l.quantity) filter (where l.side = 'bid'),
      max(l.price) filter (where l.side = 'ask'), max(l.quantity) filter (where l.side = 'ask'),
      trim_scale((max(l.price) filter (where l.side = 'bid') + max(l.price) filter (where l.side = 'ask')) * 0.5),
      max(l.price) filter (where l.side = 'ask') - max(l.price) filter (where l.side = 'bid')
    from booktape.book_levels('{bid,ask}', state, 1) l;
  end if;
end
$$;

-- The feed to replay when none is named: the one whose book is known at the start, else the one that is known next.
create or replace function booktape.feed_from(of_symbol text, start_time timestamptz, end_time timestamptz) returns text
language sql stable
return coalesce(
  (select e.feed from booktape.epochs e where e.epoch_id = (select booktape.epoch_at(of_symbol, start_time, null))),
  (select e.feed from booktape.known_epochs e
   where e.symbol = of_symbol and e.started_at > start_time and e.started_at < end_time
   order by e.started_at, e.feed = 'v1' desc limit 1)
);

-- The spans in which one replay of [start_time, end_time) knows the book, in order, by the rule of market.changes_between: one
-- feed, a line kept until its epoch ends. `known_until` is the last instant known, and never later than what is stored.
create or replace function booktape.replay_spans(of_symbol text, start_time timestamptz, end_time timestamptz, of_feed text)
returns table (
  place integer, epoch_id uuid, feed text, line text, known_from timestamptz, known_until timestamptz,
  is_beginning boolean, -- of the epoch, not of what is known of it after something missing
  proven_until timestamptz -- as known_until, but infinity where the newest book still stands
)
language plpgsql stable as $$
#variable_conflict use_column
declare
  instant timestamptz := start_time;
  feed_chosen text := coalesce(of_feed, booktape.feed_from(of_symbol, start_time, end_time));
  epoch booktape.known_epochs;
  stored_until timestamptz;
begin
  if start_time >= end_time then
    return;
  end if;
  place := 0;
  select e.* into epoch from booktape.known_epochs e
  where e.epoch_id = (select booktape.epoch_at(of_symbol, start_time, feed_chosen))
    and e.started_at <= start_time and e.known_until >= start_time;
  if not found then
    epoch := booktape.next_epoch(of_symbol, feed_chosen, null, start_time, end_time);
  end if;
  while epoch.epoch_id is not null loop
    stored_until := epoch.known_until;
    if not isfinite(stored_until) then
      select j.recorded_until into stored_until
      from booktape.epochs e join booktape.journals j using (journal_id) where e.epoch_id = epoch.epoch_id;
    end if;
    place := place + 1;
    epoch_id := epoch.epoch_id;
    feed := epoch.feed;
    line := epoch.line;
    known_from := greatest(instant, epoch.started_at);
    known_until := least(stored_until, end_time);
    is_beginning := epoch.started_at = (select e.started_at from booktape.epochs e where e.epoch_id = epoch.epoch_id);
    proven_until := epoch.known_until;
    if known_until >= known_from then
      return next;
    end if;
    exit when epoch.known_until >= end_time;
    instant := epoch.known_until;
    epoch := booktape.next_epoch(epoch.symbol, epoch.feed, epoch.line, instant, end_time);
  end loop;
end
$$;

-- For these and all that they ask. `jit`: the costs of rows in arrays are guessed far too high, and to compile a plan takes ten times as long as
-- to run it. Of functions in SQL none is named: they only pass on, and become part of what calls them.
alter function booktape.book_levels(text[], booktape.book_state, integer) set plan_cache_mode = force_generic_plan set jit = off;
alter function booktape.book_spans(text, timestamptz, timestamptz, text) set plan_cache_mode = force_generic_plan set jit = off;
do $$
declare
  question regprocedure;
begin
  for question in
    select p.oid from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace = 'market'::regnamespace and l.lanname = 'plpgsql'
  loop
    execute format('alter function %s set plan_cache_mode = force_generic_plan set jit = off', question);
  end loop;
end
$$;

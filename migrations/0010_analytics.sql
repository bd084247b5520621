-- What is made of books and trades for research: quotes that know how long they hold, order flow, spreads, the depth near the mid,
-- and the book over a span of time in one pass. None of it carries a value over a gap or from one epoch into another.
--
-- Divisions are rounded at the 36th digit after the point, as in 0003; everything else is exact.

-- Where every bucket begins that is counted from: a multiple of the width since then.
create function booktape.bucket_origin() returns timestamptz
language sql immutable parallel safe
return timestamptz '1970-01-01 00:00:00+00';

-- Raises 22023 for a span and a width (or a distance between samples) that no answer fits, as market.bars does.
create function booktape.check_buckets(width interval, from_time timestamptz, to_time timestamptz, what text) returns void
language plpgsql immutable as $$
declare
  max_buckets constant integer := 1000000; -- a second each for eleven days; more is a mistake that would fill a disk
begin
  if width is null or from_time is null or to_time is null then
    raise exception using errcode = '22023', message = format('%s, from_time and to_time must be given, not null', what);
  elsif not isfinite(from_time) or not isfinite(to_time) or to_time < from_time then
    raise exception using errcode = '22023', message = 'from_time and to_time must be finite, and to_time not before from_time';
  elsif extract(year from width) <> 0 or extract(month from width) <> 0 or width <= interval '0' then
    raise exception using errcode = '22023', message = format('%s must be above 0 and have no months or years, not %s', what, width);
  elsif extract(epoch from to_time - from_time) / extract(epoch from width) > max_buckets then
    raise exception using errcode = '22023',
      message = format('more than %s of %s: choose a wider one or a shorter span', max_buckets, what);
  end if;
end
$$;

-- Every bucket that [from_time, to_time) touches, in order. By UTC without zone, where a day always has 24 hours.
create function booktape.buckets(width interval, from_time timestamptz, to_time timestamptz)
returns table (starts timestamptz, ends timestamptz)
language sql stable as $$
  select start at time zone 'UTC', (start + width) at time zone 'UTC'
  from generate_series(
    date_bin(width, from_time, booktape.bucket_origin()) at time zone 'UTC', to_time at time zone 'UTC', width) as start
  where start < to_time at time zone 'UTC'
$$;

-- The spans in which one replay of [start_time, end_time) knows the book, in order, by the rule of market.changes_between: one
-- feed, a line kept until its epoch ends. `known_until` is the last instant known, and never later than what is stored.
create function booktape.replay_spans(of_symbol text, start_time timestamptz, end_time timestamptz, of_feed text)
returns table (place integer, epoch_id uuid, feed text, line text, known_from timestamptz, known_until timestamptz)
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
  where e.epoch_id = booktape.epoch_at(of_symbol, start_time, feed_chosen)
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
    if known_until >= known_from then
      return next;
    end if;
    exit when epoch.known_until >= end_time;
    instant := epoch.known_until;
    epoch := booktape.next_epoch(epoch.symbol, epoch.feed, epoch.line, instant, end_time);
  end loop;
end
$$;

-- A best bid and offer, and the span [known_from, known_until) in which it stood. Null where a side was empty.
create type market.known_quote as (
  symbol text, feed text, line text, epoch_id uuid, update_id bigint, event_time timestamptz, event_time_ns bigint,
  received_time timestamptz, received_time_ns bigint, known_from timestamptz, known_until timestamptz,
  bid_price numeric, bid_quantity numeric, ask_price numeric, ask_quantity numeric, mid numeric, spread numeric
);

-- The quotes of each span of a replay, in order of their messages: the one that stood when it began, then those of it. The one place
-- that knows where quotes are stored.
create function booktape.quotes_of_spans(of_symbol text, start_time timestamptz, end_time timestamptz, of_feed text)
returns table (place integer, message_seq bigint, quote market.known_quote)
language sql stable as $$
  select s.place, q.message_seq, row(
    of_symbol, s.feed, s.line, s.epoch_id, q.update_id, booktape.instant(q.event_time_ns), q.event_time_ns,
    q.received_time, q.received_time_ns, greatest(q.received_time, s.known_from),
    greatest(q.received_time, s.known_from, coalesce(lead(q.received_time) over later, s.known_until)),
    q.bid_price, q.bid_quantity, q.ask_price, q.ask_quantity,
    trim_scale((q.bid_price + q.ask_price) * 0.5), q.ask_price - q.bid_price
  )::market.known_quote
  from booktape.replay_spans(of_symbol, start_time, end_time, of_feed) s
  cross join lateral (
    (
      select f.*
      from booktape.quotes f
      where f.symbol = of_symbol and f.epoch_id = s.epoch_id and f.received_time <= s.known_from
        and f.received_time >= (select e.started_at from booktape.epochs e where e.epoch_id = s.epoch_id) - booktape.clock_step()
      order by f.received_time desc, f.message_seq desc
      limit 1
    )
    union all
    select f.*
    from booktape.quotes f
    where f.symbol = of_symbol and f.epoch_id = s.epoch_id
      and f.received_time > s.known_from and f.received_time <= s.known_until and f.received_time < end_time
  ) q
  window later as (partition by s.place order by q.message_seq)
$$;

-- The best bid and offer over [from_time, to_time) by receive time, one row a change: on v1 the top of the book after each message,
-- on ws the venue's own ticker, which is finer than its book. The first row is the quote that stood at `from_time`. A quote ends where
-- the next one comes or the book is not known any more: join on `t >= known_from and t < known_until`, and a gap carries nothing over.
-- A row of no length was followed by another within its microsecond.
create function market.quotes_between(symbol text, from_time timestamptz, to_time timestamptz, feed text default null)
returns setof market.known_quote
language plpgsql stable as $$
begin
  perform booktape.check_question(symbol, from_time, null, feed);
  if to_time is null or to_time < from_time then
    raise exception using errcode = '22023', message = format('to_time must not lie before from_time, %s', from_time);
  end if;
  return query
  select (q.quote).* from booktape.quotes_of_spans(symbol, from_time, to_time, feed) q order by q.place, q.message_seq;
end
$$;

-- Order flow imbalance after Cont, Kukanov and Stoikov (2014), in base currency: what came to the best bid and left the best ask, less
-- the reverse, summed over consecutive quotes received in each bucket.
--
--   bid price up: + the new quantity   same: + the difference   down: - the old quantity      (the ask with signs reversed)
--
-- Buckets are those of market.bars. A pair of quotes counts only within one epoch. `complete`: one epoch's book was known for all of the
-- bucket. Null where no quote was known at any time of it. An empty side is a price beyond every other, with quantity 0.
create function market.order_flow_imbalance(
  symbol text, width interval, from_time timestamptz, to_time timestamptz, feed text default null
)
returns table (bucket timestamptz, order_flow_imbalance numeric, quote_count bigint, complete boolean)
language plpgsql stable as $$
#variable_conflict use_column
declare
  first_bucket timestamptz;
  last_end timestamptz;
begin
  perform booktape.check_question(order_flow_imbalance.symbol, from_time, null, order_flow_imbalance.feed);
  perform booktape.check_buckets(width, from_time, to_time, 'width');
  select min(b.starts), max(b.ends) into first_bucket, last_end from booktape.buckets(width, from_time, to_time) b;
  return query
  with quotes as materialized (
    select q.place, (q.quote).received_time, (q.quote).known_from, (q.quote).known_until,
      coalesce((q.quote).bid_price, 0) as bid, coalesce((q.quote).bid_quantity, 0) as bid_quantity,
      coalesce((q.quote).ask_price, 'Infinity') as ask, coalesce((q.quote).ask_quantity, 0) as ask_quantity,
      q.message_seq
    from booktape.quotes_of_spans(order_flow_imbalance.symbol, first_bucket, last_end, order_flow_imbalance.feed) q
  ),
  pairs as (
    select q.*, lag(bid) over before as last_bid, lag(bid_quantity) over before as last_bid_quantity,
      lag(ask) over before as last_ask, lag(ask_quantity) over before as last_ask_quantity
    from quotes q
    window before as (partition by place order by message_seq)
  ),
  flows as (
    select date_bin(width, p.received_time, booktape.bucket_origin()) as starts, count(*) as quote_count,
      sum(
        case when p.bid >= p.last_bid then p.bid_quantity else 0 end - case when p.bid <= p.last_bid then p.last_bid_quantity else 0 end
        - case when p.ask <= p.last_ask then p.ask_quantity else 0 end + case when p.ask >= p.last_ask then p.last_ask_quantity else 0 end
      ) as flow
    from pairs p
    where p.last_bid is not null
    group by 1
  ),
  known as (
    select q.place, min(q.known_from) as known_from, max(q.known_until) as known_until from quotes q group by q.place
  ),
  touched as (
    select b.starts, bool_or(k.known_from <= b.starts and k.known_until >= b.ends) as is_whole
    from booktape.buckets(width, from_time, to_time) b
    join known k on k.known_from < b.ends and k.known_until >= b.starts
    group by b.starts
  )
  select b.starts, case when t.starts is not null then coalesce(f.flow, 0) end, coalesce(f.quote_count, 0), coalesce(t.is_whole, false)
  from booktape.buckets(width, from_time, to_time) b
  left join flows f using (starts)
  left join touched t using (starts)
  order by b.starts;
end
$$;

-- The quoted spread and mid in each bucket of market.bars, each quote weighted by how long it stood within it (to the microsecond).
-- `known_seconds`: how long both sides were known; `complete`: all of the bucket. Nulls where never.
create function market.quoted_spread(
  symbol text, width interval, from_time timestamptz, to_time timestamptz, feed text default null
)
returns table (
  bucket timestamptz, time_weighted_spread numeric, min_spread numeric, max_spread numeric, time_weighted_mid numeric,
  known_seconds numeric, complete boolean
)
language plpgsql stable as $$
#variable_conflict use_column
declare
  first_bucket timestamptz;
  last_end timestamptz;
begin
  perform booktape.check_question(quoted_spread.symbol, from_time, null, quoted_spread.feed);
  perform booktape.check_buckets(width, from_time, to_time, 'width');
  select min(b.starts), max(b.ends) into first_bucket, last_end from booktape.buckets(width, from_time, to_time) b;
  return query
  with pieces as (
    select part.starts, (q.quote).spread, (q.quote).mid,
      extract(epoch from least((q.quote).known_until, part.starts + width) - greatest((q.quote).known_from, part.starts)) as seconds
    from booktape.quotes_of_spans(quoted_spread.symbol, first_bucket, last_end, quoted_spread.feed) q
    cross join lateral (
      select start at time zone 'UTC' as starts
      from generate_series(
        date_bin(width, (q.quote).known_from, booktape.bucket_origin()) at time zone 'UTC',
        (q.quote).known_until at time zone 'UTC' - interval '1 microsecond', width) as start
    ) part
    where (q.quote).spread is not null and (q.quote).known_until > (q.quote).known_from
  ),
  weighed as (
    select p.starts, sum(p.spread * p.seconds) as spread_seconds, sum(p.mid * p.seconds) as mid_seconds, sum(p.seconds) as seconds,
      min(p.spread) as least_spread, max(p.spread) as most_spread
    from pieces p
    group by p.starts
  )
  select b.starts, trim_scale(round(w.spread_seconds, 36) / w.seconds), w.least_spread, w.most_spread,
    trim_scale(round(w.mid_seconds, 36) / w.seconds), trim_scale(coalesce(w.seconds, 0)),
    coalesce(w.seconds = extract(epoch from width), false)
  from booktape.buckets(width, from_time, to_time) b
  left join weighed w using (starts)
  order by b.starts;
end
$$;

-- How far the venue's clock and ours may be apart, delay of the message included, for a trade to find the quotes around it. Beyond it
-- a mid is null, never wrong.
create function booktape.clock_distance() returns interval
language sql immutable parallel safe
return interval '10 seconds';

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
create function market.realised_spread(
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
    select s.place, greatest(s.last_ns, n.event_time_ns, (
      select max(c.event_time_ns) from booktape.changes_of(s.epoch_id, n.message_seq - 1, n.message_seq, n.snapshot_time, s.known_until) c
    )) as until_ns
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

-- Quotes that the database refused: empty as long as none was.
create index on booktape.quarantine (symbol, received_time) where reason like 'unstorable row of quotes,%';

-- As in 0003, many times faster: on v1 a quote is stored with each message that changes the top of the book, so the newest one of the
-- epoch is the top, and no level needs to be looked at. Elsewhere, and where a quote since was refused, the book is asked.
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
  where e.epoch_id = booktape.epoch_at(top_of_book_at.symbol, top_of_book_at.at, top_of_book_at.feed);
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

-- The mid weighted by the quantity of the other side; null where the book is not known or a side is empty.
create function market.microprice_at(symbol text, at timestamptz, feed text default null) returns numeric
language sql stable as $$
  select trim_scale(round(t.bid_price * t.ask_quantity + t.ask_price * t.bid_quantity, 36) / (t.bid_quantity + t.ask_quantity))
  from market.top_of_book_at(symbol, at, feed) t
$$;

-- What rests within `basis_points` of the mid, bounds included: quantities in base, notionals in quote currency. No row where the book is
-- not known; nulls where a side is empty, because then there is no mid.
create function market.depth_within(symbol text, at timestamptz, basis_points numeric, feed text default null)
returns table (
  mid numeric, bid_quantity numeric, bid_notional numeric, bid_levels integer, ask_quantity numeric, ask_notional numeric,
  ask_levels integer
)
language plpgsql stable as $$
#variable_conflict use_column
declare
  state booktape.book_state;
begin
  perform booktape.check_question(symbol, depth_within.at, null, feed);
  if basis_points is null or not (basis_points >= 0 and basis_points < 'Infinity') then
    raise exception using errcode = '22023',
      message = format('basis_points must be a number of 0 or more, not %s', coalesce(basis_points::text, 'null'));
  end if;
  state := booktape.state_at(symbol, booktape.epoch_at(symbol, depth_within.at, feed), depth_within.at);
  if state.epoch_id is null then
    return;
  end if;
  return query
  with book as materialized (select l.side, l.price, l.quantity from booktape.book_levels('{bid,ask}', state, null) l),
  middle as (
    select (max(b.price) filter (where b.side = 'bid') + min(b.price) filter (where b.side = 'ask')) * 0.5 as mid from book b
  )
  select trim_scale(m.mid), b.quantity, b.notional, b.levels, a.quantity, a.notional, a.levels
  from middle m
  cross join lateral (
    select case when m.mid is not null then coalesce(sum(b.quantity), 0) end as quantity,
      case when m.mid is not null then coalesce(sum(b.price * b.quantity), 0) end as notional,
      case when m.mid is not null then count(*)::integer end as levels
    from book b where b.side = 'bid' and b.price >= m.mid * (1 - basis_points * 0.0001)
  ) b
  cross join lateral (
    select case when m.mid is not null then coalesce(sum(a.quantity), 0) end as quantity,
      case when m.mid is not null then coalesce(sum(a.price * a.quantity), 0) end as notional,
      case when m.mid is not null then count(*)::integer end as levels
    from book a where a.side = 'ask' and a.price <= m.mid * (1 + basis_points * 0.0001)
  ) a;
end
$$;

-- first, first + every and so on, before `until`; `first` alone where `every` is null.
create function booktape.moments(first timestamptz, every interval, until timestamptz) returns setof timestamptz
language sql immutable as $$
  select first + n * coalesce(every, '0')
  from generate_series(0, case when every is null then 0 else ceil(extract(epoch from until - first) / extract(epoch from every))::integer end) n
  where first + n * coalesce(every, '0') < until
$$;

-- What happens to a book within a block of time, in order: the levels held when it begins (kind 0), the changes of an epoch's messages in
-- (after_seq, last_seq] (kind 1), and after those of the same instant each moment of `told` (kind 2). `place` is the level's for the
-- block: bids have odd places and asks even ones, the best first. `ends_message`: no change of the same message follows.
--
-- Our clock may have been set back: messages come in their own order, and none before the one ahead of it.
create function booktape.book_steps(
  of_epoch uuid, after_seq bigint, last_seq bigint, begins timestamptz, ends timestamptz,
  held_prices numeric[], held_quantities numeric[], held_bids bigint, told timestamptz[]
)
returns table (
  moment timestamptz, moment_ns bigint, kind integer, update_id bigint, price numeric, quantity numeric, place integer, ends_message boolean
)
language sql stable as $$
  select s.moment, case when s.moment = s.received_time then s.received_time_ns when s.kind > 0 then booktape.nanoseconds(s.moment) end,
    s.kind, s.update_id, s.price, s.quantity,
    case s.side
      when 'bid' then 2 * dense_rank() over (partition by s.side order by -s.price) - 1
      when 'ask' then 2 * dense_rank() over (partition by s.side order by s.price)
    end::integer,
    s.kind = 1 and s.message_seq is distinct from lead(s.message_seq) over (order by s.moment, s.kind, s.message_seq, s.change_index)
  from (
    select timestamptz '-infinity' as moment, null::timestamptz as received_time, null::bigint as received_time_ns, 0 as kind,
      null::bigint as message_seq, 0 as change_index, null::bigint as update_id,
      case when h.number <= held_bids then 'bid' else 'ask' end as side, h.price, h.quantity
    from unnest(held_prices, held_quantities) with ordinality as h(price, quantity, number)
    union all
    select greatest(begins, max(c.received_time) over (order by c.message_seq)), c.received_time, c.received_time_ns, 1,
      c.message_seq, c.change_index, c.update_id, c.side, c.price, c.quantity
    from booktape.changes_of(of_epoch, after_seq, last_seq, begins, ends) c
    union all
    select t, null, null, 2, null, 0, null, null, null, null
    from unnest(told) as t
  ) s
  order by s.moment, s.kind, s.message_seq, s.change_index
$$;

-- The best `depth` levels a side over [from_time, to_time) by receive time, best first, as arrays: at `from_time` and after each message
-- that changed them, or, with `every`, at from_time, from_time + every and so on, each as market.book_at gives it. A row holds until
-- the next. Where the book is not known (any more) a row says so with an epoch_id of null: a gap carries nothing over. One feed, and one
-- line at a time, as market.changes_between; nothing is known later than what is stored.
--
-- One pass: the book is held in an array, a place for each price that occurs in a block of time (booktape.book_steps). So a change sets
-- one place, and the top is read off from the first place that is filled.
create function market.book_between(
  symbol text, from_time timestamptz, to_time timestamptz, depth integer, every interval default null, feed text default null
)
returns table (
  book_time timestamptz, book_time_ns bigint, epoch_id uuid, update_id bigint, bid_prices numeric[], bid_quantities numeric[],
  ask_prices numeric[], ask_quantities numeric[]
)
language plpgsql stable as $$
#variable_conflict use_column
declare
  block constant interval := '5 minutes'; -- how much is read at once: the fewer prices in it, the fewer empty places
  sparse constant interval := '1 minute'; -- samples this far apart are each taken from the whole book stored before them
  no_place constant integer := 2147483647;
  next_time timestamptz := from_time; -- of the next sample; without `every`, the first instant nothing was told of
  told bigint;
  span record;
  state booktape.book_state;
  final booktape.book_state;
  begins timestamptz;
  ends timestamptz;
  moments timestamptz[];
  held_prices numeric[]; -- the book between two blocks: bids, then asks
  held_quantities numeric[];
  held_bids bigint;
  prices numeric[];
  quantities numeric[]; -- null where there is no level
  best integer[]; -- of bids and asks: no place before it is filled
  reach integer[]; -- of bids and asks: the last place of what was told
  is_stale boolean; -- something within reach was changed
  step record;
  side_of_step integer;
  place integer;
  found integer;
  top_prices numeric[];
  top_quantities numeric[];
  is_other boolean;
begin
  perform booktape.check_question(book_between.symbol, from_time, depth, book_between.feed);
  if depth is null then
    raise exception using errcode = '22023', message = 'depth must be given, not null';
  elsif to_time is null or to_time < from_time then
    raise exception using errcode = '22023', message = format('to_time must not lie before from_time, %s', from_time);
  elsif every is not null then
    perform booktape.check_buckets(every, from_time, to_time, 'every');
    every := ((extract(epoch from every) * 1000000)::bigint || ' microseconds')::interval; -- a day is 24 hours in any time zone
  end if;

  for span in select s.* from booktape.replay_spans(book_between.symbol, from_time, to_time, book_between.feed) s order by s.place loop
    begins := span.known_from;
    state := booktape.state_at(book_between.symbol, span.epoch_id, begins);
    if state.epoch_id is null then -- its beginning is no longer stored
      state := booktape.first_state(span.epoch_id);
      begins := greatest(begins, state.snapshot_time);
    end if;
    continue when state.epoch_id is null or begins > span.known_until;
    return query
    select m, booktape.nanoseconds(m), null::uuid, null::bigint, null::numeric[], null::numeric[], null::numeric[], null::numeric[]
    from booktape.moments(next_time, every, begins) m;
    get diagnostics told = row_count;
    next_time := next_time + told * coalesce(every, '0');
    epoch_id := span.epoch_id;

    if every >= sparse then
      return query
      select g.moment, booktape.nanoseconds(g.moment), s.epoch_id, s.update_id,
        b.bid_prices, b.bid_quantities, b.ask_prices, b.ask_quantities
      from booktape.moments(next_time, every, least(to_time, span.known_until + interval '1 microsecond')) as g(moment)
      cross join lateral booktape.state_at(book_between.symbol, span.epoch_id, g.moment) s
      cross join lateral (
        select coalesce(array_agg(l.price order by l.level) filter (where l.side = 'bid'), '{}') as bid_prices,
          coalesce(array_agg(l.quantity order by l.level) filter (where l.side = 'bid'), '{}') as bid_quantities,
          coalesce(array_agg(l.price order by l.level) filter (where l.side = 'ask'), '{}') as ask_prices,
          coalesce(array_agg(l.quantity order by l.level) filter (where l.side = 'ask'), '{}') as ask_quantities
        from booktape.book_levels('{bid,ask}', s, depth) l
      ) b
      order by g.moment;
      get diagnostics told = row_count;
      next_time := next_time + told * every;
      continue;
    end if;

    select array_agg(l.price), array_agg(l.quantity), count(*) filter (where l.side = 'bid') into held_prices, held_quantities, held_bids
    from booktape.book_levels('{bid,ask}', state, null) l;
    update_id := state.update_id;
    moments := array[begins];

    loop
      ends := least(begins + block, span.known_until);
      final := booktape.state_at(book_between.symbol, span.epoch_id, least(ends, to_time - interval '1 microsecond'));
      if every is not null then
        moments := array(
          select m from booktape.moments(next_time, every,
            case when ends = span.known_until then least(ends + interval '1 microsecond', to_time) else ends end) m
        );
        next_time := next_time + cardinality(moments) * every;
      end if;
      prices := array[null, null]::numeric[];
      quantities := prices;
      best := array[1, 2];
      reach := array[no_place, no_place];
      is_stale := true;

      for step in
        select w.* from booktape.book_steps(span.epoch_id, state.message_seq, final.message_seq, begins, ends,
          held_prices, held_quantities, held_bids, moments) w
      loop
        if step.place is not null then
          prices[step.place] := step.price;
          quantities[step.place] := nullif(step.quantity, 0);
          side_of_step := 2 - step.place % 2;
          if step.place < best[side_of_step] then
            best[side_of_step] := step.place;
          end if;
          is_stale := is_stale or step.place <= reach[side_of_step];
          update_id := coalesce(step.update_id, update_id);
        end if;
        continue when step.kind = 0 or step.kind = 1 and (every is not null or not is_stale or not step.ends_message);

        is_other := step.kind = 2;
        if is_stale then
          for side in 1..2 loop
            place := best[side];
            found := 0;
            top_prices := '{}';
            top_quantities := '{}';
            while found < depth and place <= cardinality(quantities) loop
              if quantities[place] is not null then
                if found = 0 then
                  best[side] := place;
                end if;
                found := found + 1;
                reach[side] := place;
                top_prices := array_append(top_prices, prices[place]);
                top_quantities := array_append(top_quantities, quantities[place]);
              end if;
              place := place + 2;
            end loop;
            if found < depth then
              reach[side] := no_place;
            end if;
            if side = 1 then
              is_other := is_other or top_prices <> bid_prices or top_quantities <> bid_quantities;
              bid_prices := top_prices;
              bid_quantities := top_quantities;
            else
              is_other := is_other or top_prices <> ask_prices or top_quantities <> ask_quantities;
              ask_prices := top_prices;
              ask_quantities := top_quantities;
            end if;
          end loop;
          is_stale := false;
        end if;
        if is_other then
          book_time := step.moment;
          book_time_ns := step.moment_ns;
          return next;
        end if;
      end loop;

      exit when ends = span.known_until;
      select array_agg(b.price order by b.number % 2 desc), array_agg(b.quantity order by b.number % 2 desc),
        count(*) filter (where b.number % 2 = 1)
      into held_prices, held_quantities, held_bids
      from unnest(prices, quantities) with ordinality as b(price, quantity, number)
      where b.quantity is not null;
      if final.message_seq > state.message_seq then
        state := final;
      end if;
      begins := ends;
      moments := '{}';
    end loop;
    if every is null then
      next_time := span.known_until + interval '1 microsecond';
    end if;
  end loop;

  return query
  select m, booktape.nanoseconds(m), null::uuid, null::bigint, null::numeric[], null::numeric[], null::numeric[], null::numeric[]
  from booktape.moments(next_time, every, to_time) m;
end
$$;

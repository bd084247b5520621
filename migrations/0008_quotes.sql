-- What is made of quotes for research: quotes that know how long they hold, order flow, spreads. None of it carries a value over a gap or
-- from one epoch into another. Divisions are rounded at the 36th digit after the point; everything else is exact.

-- A best bid and offer, and the span [known_from, known_until) in which it stood. Null where a side was empty.
create type market.known_quote as (
  symbol text, feed text, line text, epoch_id uuid, update_id bigint, event_time timestamptz, event_time_ns bigint,
  received_time timestamptz, received_time_ns bigint, known_from timestamptz, known_until timestamptz,
  bid_price numeric, bid_quantity numeric, ask_price numeric, ask_quantity numeric, mid numeric, spread numeric
);

-- The quotes of each span of a replay, in order of their messages: the one that stood when it began, then those of it. All that is made
-- of quotes over time reads them here.
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

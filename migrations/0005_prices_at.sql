-- What the book at an instant says of prices: its top, its depth near the mid, the cost of an order. Divisions are rounded at the 36th digit
-- after the point; everything else is exact.

-- Best bid and ask, null where the book has none; no row where the book is not known.
--
-- On v1 a quote is stored with each message that changes the top of the book, so the newest one of the epoch is the top, and no
-- level needs to be looked at: many times faster. Elsewhere, and where a quote since was refused, the book is asked.
create function market.top_of_book_at(symbol text, at timestamptz, feed text default null)
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

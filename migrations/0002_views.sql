-- What people query. Names and order of columns are the public contract; the tables behind may change shape.
--
-- `symbol`, `epoch_id` and `received_time` are always columns of the table itself, so that a filter on them reaches its
-- index and leaves out the days it does not ask for. `event_time` is made from its nanoseconds when it is asked for:
-- filter on `received_time` beside it.

-- The instant of `ns` nanoseconds since 1970 UTC, cut to the microsecond. By way of text, because every other way from
-- an integer to an interval goes through a float.
create function booktape.instant(ns bigint) returns timestamptz
language sql stable parallel safe
return timestamptz '1970-01-01 00:00:00+00' + (ns / 1000 || ' microseconds')::interval;

-- The nanoseconds since 1970 UTC of an instant, which Postgres keeps to the microsecond.
create function booktape.nanoseconds(instant timestamptz) returns bigint
language sql immutable parallel safe
return (extract(epoch from instant) * 1000000000)::bigint;

-- The letters of book_messages.marks. Lower case is a bid, upper case an ask; compared by code, because what `lower`
-- does depends on the language of the database.
create function booktape.mark_side(mark text) returns text
language sql immutable parallel safe
return case when ascii(mark) >= 97 then 'bid' else 'ask' end;

create function booktape.mark_reason(mark text) returns text
language sql immutable parallel safe
return case chr(ascii(mark) | 32)
  when 'p' then 'place'
  when 't' then 'trade'
  when 'c' then 'cancel'
  when 'b' then 'top-of-book'
  when 'i' then 'initial'
end;

-- How far our clock may be set back within an epoch and books stay exact: order is that of message_seq, and times only
-- choose the days to look in, with this much to spare.
create function booktape.clock_step() returns interval
language sql immutable parallel safe
return interval '24 hours';

create view market.instruments as
select symbol, base_currency, quote_currency, price_increment, quantity_increment, min_order_size, status, product_type,
  contract_type, valid_from, valid_to
from booktape.instruments;

create view market.sessions as
select session_id, line, feed, url, opened_at, closed_at, close_code, close_reason
from booktape.sessions;

-- The last id of an epoch is written when it ends; until then it is that of its newest message, or of its first snapshot.
create view market.epochs as
select e.epoch_id, e.session_id, e.line, e.symbol, e.feed, e.started_at, e.ended_at, e.first_update_id,
  case when e.ended_at is not null then e.last_update_id else coalesce(
    (select m.update_id from booktape.book_messages m
     where m.epoch_id = e.epoch_id and m.received_time >= e.started_at - booktape.clock_step() order by m.message_seq desc limit 1),
    (select s.update_id from booktape.book_snapshots s
     where s.epoch_id = e.epoch_id and s.received_time >= e.started_at - booktape.clock_step() order by s.message_seq desc limit 1),
    e.first_update_id
  ) end as last_update_id,
  e.end_reason
from booktape.epochs e;

create view market.gaps as
select gap_id, line, symbol, feed, stream, from_id, to_id, started_at, ended_at, cause, state
from booktape.gaps;

-- One row a level. A snapshot's bids come first, then its asks, each best first, counted on from 0.
create view market.book_changes as
select m.symbol, m.feed, m.line, m.epoch_id, m.message_seq, (c.place - 1)::integer as change_index, m.update_id,
  booktape.instant(m.event_time_ns) as event_time, m.event_time_ns, m.received_time, m.received_time_ns,
  booktape.mark_side(c.mark) as side, c.price, c.quantity, booktape.mark_reason(c.mark) as reason, false as is_snapshot
from booktape.book_messages m
cross join lateral unnest(m.prices, m.quantities, string_to_array(m.marks, null))
  with ordinality as c(price, quantity, mark, place)
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

create view market.book_snapshots as
select symbol, feed, line, epoch_id, update_id, received_time as taken_at, reason, bid_prices, bid_quantities, ask_prices,
  ask_quantities, encode(digest, 'hex') as digest
from booktape.book_snapshots;

create view market.quotes as
select symbol, feed, line, epoch_id, update_id, booktape.instant(event_time_ns) as event_time, event_time_ns, received_time,
  received_time_ns, bid_price, bid_quantity, ask_price, ask_quantity
from booktape.quotes;

create view market.trades as
select symbol, trade_id, event_time, event_time_ns, received_time, received_time_ns, price, quantity, taker_side, source,
  line, broken
from booktape.trades;

create view market.audits as
select symbol, feed, line, audited_at, method, update_id, levels_compared, levels_different, result
from booktape.audits;

create view market.quarantine as
select line, feed, symbol, received_time, reason, payload
from booktape.quarantine;

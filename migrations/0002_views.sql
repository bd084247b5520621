-- What people query. Names and order of columns are the public contract; the tables behind may change shape.
--
-- `symbol` and `epoch_id` are always columns of the table itself, so that a filter on them reaches its index. So is `received_time`, and
-- leaves out the days it does not ask for; but in settled changes it is made from its nanoseconds, as `event_time` is in books and
-- quotes. Filter on `epoch_id` or `received_time` beside it; market.changes_between is the way to the changes of a span.

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

-- Every chunk lies within one hour of our clock, so those of a span are found by when they begin.
create function booktape.chunk_span() returns interval
language sql immutable parallel safe
return interval '1 hour';

-- The messages of one chunk without their changes, numbered in their order, out of its columns. `first_place` is that of a message's first
-- change in the chunk, from 1. Plain enough for Postgres to put it in the place of its call, so that it costs what is read of it.
create function booktape.summed_messages(
  seq_steps bigint[], id_steps bigint[], id_spans bigint[], event_steps bigint[], received_steps bigint[], change_counts integer[]
)
returns table (
  place bigint, message_seq bigint, first_update_id bigint, update_id bigint, event_time_ns bigint, received_time_ns bigint,
  first_place integer, change_count integer
)
language sql immutable parallel safe
begin atomic
  select s.place, sum(s.seq_step) over along::bigint, sum(s.id_step + s.id_span) over along::bigint - s.id_span,
    sum(s.id_step + s.id_span) over along::bigint,
    case when s.event_step is not null then sum(s.event_step) over along::bigint end,
    sum(s.received_step) over along::bigint, (sum(s.change_count) over along - s.change_count + 1)::integer, s.change_count
  from unnest(seq_steps, id_steps, id_spans, event_steps, received_steps, change_counts)
    with ordinality as s(seq_step, id_step, id_span, event_step, received_step, change_count, place)
  window along as (order by s.place rows unbounded preceding);
end;

-- The messages of the chunks, without their changes; whoever reads says by the chunk's own columns (those that begin with `chunk_`)
-- which chunks can hold what is asked for.
create view booktape.settled_messages as
select c.epoch_id, c.symbol, c.feed, c.line, c.received_from as chunk_from, c.received_to as chunk_to,
  c.first_seq as chunk_first_seq, c.last_seq as chunk_last_seq, c.least_update_id as chunk_least_id,
  m.message_seq, m.first_update_id, m.update_id, m.event_time_ns, m.received_time_ns,
  booktape.instant(m.received_time_ns) as received_time, m.first_place, m.change_count
from booktape.book_chunks c
cross join lateral booktape.summed_messages(c.seq_steps, c.id_steps, c.id_spans, c.event_steps, c.received_steps, c.change_counts) m;

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
  from booktape.summed_messages(c.seq_steps, c.id_steps, c.id_spans, c.event_steps, c.received_steps, c.change_counts) m
) every
cross join lateral unnest(c.prices, c.exact_prices, c.quantities, c.exact_quantities, string_to_array(c.marks, null))
  with ordinality as x(price, exact_price, quantity, exact_quantity, mark, place)
-- The last message that begins at or before its place: those without changes begin where the next one does.
cross join lateral (select width_bucket(x.place::integer, every.first_place) as message offset 0) at;

create view market.instruments as
select symbol, base_currency, quote_currency, price_increment, quantity_increment, min_order_size, status, product_type,
  contract_type, valid_from, valid_to
from booktape.instruments;

create view market.sessions as
select session_id, line, feed, url, opened_at, closed_at, close_code, close_reason
from booktape.sessions;

-- The last id of an epoch is written when it ends; until then it is that of its newest message, settled or not, or of its
-- first snapshot.
create view market.epochs as
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

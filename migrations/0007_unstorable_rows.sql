-- Rows that the database refused (docs/adr/0005-poison-rows.md). Such a row leaves a gap of cause `unstorable`; one of a book
-- names the message that is missing, so that no function gives a book that lacks it.
alter table booktape.gaps
  add column epoch_id uuid, -- of the missing message, or the missing epoch itself; null in every other gap
  add column message_seq bigint; -- the missing message; null for a missing epoch

-- Both are empty as long as nothing is refused: what is asked for each book and each whole book stored costs next to nothing.
create index on booktape.gaps (epoch_id, message_seq) where epoch_id is not null;
create index on booktape.gaps (symbol, feed, line) where epoch_id is not null and ended_at is null;

-- As 0003 had known_epochs: until when each epoch is proven, as if nothing of it were missing.
create view booktape.proven_epochs as
select e.epoch_id, e.symbol, e.feed, e.line, e.started_at,
  coalesce(e.ended_at, case
    when j.recorded_until >= now() - interval '10 seconds' then timestamptz 'infinity'
    else greatest(e.started_at, j.recorded_until)
  end) as known_until,
  e.ended_at is null as has_no_end
from booktape.epochs e
left join booktape.journals j using (journal_id);

-- The spans in which a book is known: an epoch is one, or several where messages of it are missing.
create or replace view booktape.known_epochs as
select e.epoch_id, e.symbol, e.feed, e.line, e.started_at, e.known_until, e.has_no_end
from booktape.proven_epochs e
where not exists (select from booktape.gaps g where g.epoch_id = e.epoch_id)
union all
select e.epoch_id, e.symbol, e.feed, e.line, lower(known.span), upper(known.span), e.has_no_end and upper(known.span) = e.known_until
from booktape.proven_epochs e
join (
  -- Null as an end: not known again yet.
  select g.epoch_id, range_agg(tstzrange(g.started_at, g.ended_at, '()')) as spans
  from booktape.gaps g
  where g.epoch_id is not null
  group by g.epoch_id
) missing using (epoch_id)
cross join lateral unnest(tstzmultirange(tstzrange(e.started_at, e.known_until, '[]')) - missing.spans) as known(span);

-- Whether a message after one and up to another of an epoch is missing: times alone do not tell where the clock was set back.
create function booktape.lacks_message(of_epoch uuid, after_seq bigint, last_seq bigint) returns boolean
language sql stable
return exists (
  select from booktape.gaps g
  where g.epoch_id = of_epoch and g.message_seq > after_seq and g.message_seq <= last_seq
);

-- As in 0003, but null too where a message between the snapshot and the state is missing.
create or replace function booktape.state_at(of_symbol text, of_epoch uuid, at_time timestamptz) returns booktape.book_state
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
    if booktape.lacks_message(of_epoch, state.snapshot_seq, state.message_seq) then
      return null;
    end if;
  end if;
  return state;
end
$$;

-- As in 0003, with a message that is true of both reasons.
create or replace function booktape.proven_state_at(of_symbol text, at_time timestamptz, max_levels integer, of_feed text)
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

-- As in 0003, but raises BT001 too where a message up to the update is missing.
create or replace function market.book_at_update(symbol text, epoch_id uuid, update_id bigint, depth integer default null)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
#variable_conflict use_column
declare
  epoch record;
  state booktape.book_state;
  missing record;
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
  return query select l.side, l.level, l.price, l.quantity from booktape.levels('bid', state, depth) l;
  return query select l.side, l.level, l.price, l.quantity from booktape.levels('ask', state, depth) l;
end
$$;

-- As in 0004, by what is known of an epoch and not by where it began.
create or replace function booktape.feed_from(of_symbol text, start_time timestamptz, end_time timestamptz) returns text
language sql stable
return coalesce(
  (select e.feed from booktape.epochs e where e.epoch_id = booktape.epoch_at(of_symbol, start_time, null)),
  (select e.feed from booktape.known_epochs e
   where e.symbol = of_symbol and e.started_at > start_time and e.started_at < end_time
   order by e.started_at, e.feed = 'v1' desc limit 1)
);

-- As in 0004; where a message is missing the stream breaks off before it, and goes on with the next whole book or another line's.
-- The epoch_id is then the same: take each row of is_snapshot with change_index 0 for the beginning of a new book.
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
  where e.epoch_id = booktape.epoch_at(changes_between.symbol, from_time, changes_between.feed) and from_time < to_time;
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
      from market.book_changes c
      where c.epoch_id = epoch.epoch_id and not c.is_snapshot
        and c.message_seq > state.message_seq and c.message_seq <= final.message_seq
        and c.received_time >= state.snapshot_time - booktape.clock_step()
        and c.received_time <= final.message_time + booktape.clock_step()
      order by c.message_seq, c.change_index;
    end if;

    exit when epoch.known_until >= to_time;
    instant := epoch.known_until;
    epoch := booktape.next_epoch(epoch.symbol, epoch.feed, epoch.line, instant, to_time);
  end loop;
end
$$;

-- As in 0005, but a message of a book that is missing takes no trade with it, and a missing trade tells nothing of when its
-- recording began: it stands at the venue's time, which a page of history gives for the past.
create or replace function market.bars(symbol text, width interval, from_time timestamptz, to_time timestamptz)
returns table (
  bucket timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, notional numeric, vwap numeric,
  trade_count bigint, complete boolean
)
language plpgsql stable as $$
#variable_conflict use_column
declare
  origin constant timestamptz := '1970-01-01 00:00:00+00';
  max_buckets constant integer := 1000000; -- a second a bar for eleven days; more is a mistake that would fill a disk
  first_bucket timestamptz;
begin
  if bars.symbol is null or width is null or from_time is null or to_time is null then
    raise exception using errcode = '22023', message = 'symbol, width, from_time and to_time must be given, not null';
  elsif not isfinite(from_time) or not isfinite(to_time) or to_time < from_time then
    raise exception using errcode = '22023', message = 'from_time and to_time must be finite, and to_time not before from_time';
  elsif extract(year from width) <> 0 or extract(month from width) <> 0 or width <= interval '0' then
    raise exception using errcode = '22023', message = format('width must be above 0 and have no months or years, not %s', width);
  elsif extract(epoch from to_time - from_time) / extract(epoch from width) > max_buckets then
    raise exception using errcode = '22023',
      message = format('more than %s buckets: choose a wider width or a shorter span', max_buckets);
  end if;
  first_bucket := date_bin(width, from_time, origin);

  return query
  with buckets as (
    -- Without time zone, where a day is always 24 hours.
    select start at time zone 'UTC' as starts, (start + width) at time zone 'UTC' as ends
    from generate_series(first_bucket at time zone 'UTC', to_time at time zone 'UTC', width) as start
    where start < to_time at time zone 'UTC'
  ),
  priced as (
    select date_bin(width, t.event_time, origin) as starts,
      (array_agg(t.price order by t.event_time_ns, t.trade_id))[1] as open, max(t.price) as high, min(t.price) as low,
      (array_agg(t.price order by t.event_time_ns desc, t.trade_id desc))[1] as close,
      sum(t.quantity) as volume, sum(t.price * t.quantity) as notional, count(*) as trade_count
    from booktape.trades t
    where t.symbol = bars.symbol and not t.broken
      and t.event_time >= first_bucket and t.event_time < (select max(b.ends) from buckets b)
    group by 1
  ),
  recordings as (
    select r.journal_id, r.feed, r.began, j.recorded_until
    from (
      select k.journal_id, k.feed, min(k.started_at) as began
      from (
        select e.journal_id, e.feed, e.started_at from booktape.epochs e where e.symbol = bars.symbol
        union all
        select g.journal_id, g.feed, g.started_at from booktape.gaps g
        where g.symbol = bars.symbol and g.cause <> 'unstorable'
      ) k
      group by k.journal_id, k.feed
    ) r
    join booktape.journals j using (journal_id)
  ),
  holes as materialized (
    select g.journal_id, g.feed, g.started_at, coalesce(g.ended_at, 'infinity') as ended_at
    from booktape.gaps g
    where g.symbol = bars.symbol and g.state <> 'filled'
      and (g.stream = 'trades' or g.feed = 'v1' and g.epoch_id is null)
      and g.started_at < (select max(b.ends) from buckets b) and coalesce(g.ended_at, 'infinity') >= first_bucket
  )
  select b.starts, p.open, p.high, p.low, p.close, coalesce(p.volume, 0), coalesce(p.notional, 0),
    trim_scale(round(p.notional, 36) / nullif(p.volume, 0)), coalesce(p.trade_count, 0),
    exists (
      select from recordings r
      where r.began <= b.starts and r.recorded_until >= b.ends and not exists (
        select from holes h
        where h.journal_id = r.journal_id and h.feed = r.feed and h.started_at < b.ends
          and (h.ended_at > b.starts or h.started_at = b.starts)
      )
    )
  from buckets b
  left join priced p using (starts)
  order by b.starts;
end
$$;

-- As in 0005, but what was refused is no beginning of a recording.
create or replace function market.coverage(symbol text, feed text, from_time timestamptz, to_time timestamptz)
returns setof market.coverage_span
language plpgsql stable as $$
#variable_conflict use_column
declare
  asked tstzmultirange;
  live tstzmultirange;
  wanted tstzmultirange; -- some line was to record
begin
  perform booktape.check_question(coverage.symbol, coverage.from_time, null, coverage.feed);
  if coverage.to_time is null or coverage.to_time < coverage.from_time then
    raise exception using errcode = '22023', message = format('to_time must not lie before from_time, %s', coverage.from_time);
  end if;
  asked := tstzmultirange(tstzrange(coverage.from_time, coverage.to_time, '[)'));

  select coalesce(range_agg(tstzrange(e.started_at, e.known_until, '[)')), '{}') * asked into live
  from booktape.known_epochs e
  where e.symbol = coverage.symbol and (coverage.feed is null or e.feed = coverage.feed)
    and e.started_at < coverage.to_time and e.known_until > coverage.from_time;

  with begun as materialized (
    select e.feed, e.line, e.started_at, false as stopped from booktape.epochs e
    where e.symbol = coverage.symbol and (coverage.feed is null or e.feed = coverage.feed) and e.started_at < coverage.to_time
    union all
    select g.feed, g.line, g.started_at, g.cause = 'stopped' and g.ended_at is null from booktape.gaps g
    where g.symbol = coverage.symbol and (coverage.feed is null or g.feed = coverage.feed)
      and g.cause <> 'unstorable' and g.started_at < coverage.to_time
  ),
  -- A start that is a stop lasts until the same line starts again; so does every other, and the line is to record.
  spans as (
    select b.stopped, tstzrange(b.started_at,
      lead(b.started_at, 1, 'infinity') over (partition by b.feed, b.line order by b.started_at, b.stopped), '[)') as span
    from begun b
  )
  select coalesce(range_agg(s.span) filter (where not s.stopped), '{}') * asked into wanted from spans s;

  return query
  select lower(p.span), upper(p.span), p.state
  from (
    select unnest(live) as span, 'live' as state
    union all
    select unnest(wanted - live), 'gap'
    union all
    select unnest(asked - wanted - live), 'off'
  ) p
  order by lower(p.span);
end
$$;

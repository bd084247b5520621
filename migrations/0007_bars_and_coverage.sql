-- Buckets of time and bars of trades, and where a book is known at all.

-- Where every bucket begins that is counted from: a multiple of the width since then.
create function booktape.bucket_origin() returns timestamptz
language sql immutable parallel safe
return timestamptz '1970-01-01 00:00:00+00';

-- Every bucket that [from_time, to_time) touches, in order. By UTC without zone, where a day always has 24 hours.
create function booktape.buckets(width interval, from_time timestamptz, to_time timestamptz)
returns table (starts timestamptz, ends timestamptz)
language sql stable as $$
  select start at time zone 'UTC', (start + width) at time zone 'UTC'
  from generate_series(
    date_bin(width, from_time, booktape.bucket_origin()) at time zone 'UTC', to_time at time zone 'UTC', width) as start
  where start < to_time at time zone 'UTC'
$$;

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

-- Every bucket that [from_time, to_time) touches, each of them whole, in order. Buckets begin at multiples of `width` since
-- 1970-01-01 UTC. Trades are placed by the venue's time; broken ones do not count. A bucket without trades has
-- null prices and vwap, and zeros. `vwap` is rounded at the 36th digit after the point.
--
-- `complete`: at least one journal had this symbol's trades without a hole for all of the bucket. On ws a gap of stream
-- trades is a hole; on v1 a gap of the book is one too, since its one sequence carries both. A gap that
-- was filled from the venue's history is none, nor is a refused message of a book: it takes no trade with it. A refused trade tells
-- nothing of when its recording began: it stands at the venue's time, which a page of history gives for the past.
create function market.bars(symbol text, width interval, from_time timestamptz, to_time timestamptz)
returns table (
  bucket timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, notional numeric, vwap numeric,
  trade_count bigint, complete boolean
)
language plpgsql stable as $$
#variable_conflict use_column
declare
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
  first_bucket := date_bin(width, from_time, booktape.bucket_origin());

  return query
  with buckets as (select b.starts, b.ends from booktape.buckets(width, from_time, to_time) b),
  priced as (
    select date_bin(width, t.event_time, booktape.bucket_origin()) as starts,
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

create type market.coverage_span as (from_time timestamptz, to_time timestamptz, state text);

-- Disjoint spans that cover [from_time, to_time) in order: `live` where a line knows the book; `gap` where recording had begun
-- and no line does; `off` before recording began and after every line was stopped. A line that ended without
-- being stopped leaves a gap. What was refused is no beginning of a recording. Feed null: any feed.
create function market.coverage(symbol text, feed text, from_time timestamptz, to_time timestamptz)
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

-- Settling (docs/adr/0007-settled-chunks.md). Rows are moved by an insert and a delete of one transaction, so a reader sees each message
-- once, whatever the instant it looks from; the emptied partition is dropped when nobody can look from before any more.

-- What is older may be settled: hours that ended ten minutes ago. While a journal that stored something within a day has
-- not got that far, its hours wait for it, so that they become full chunks; rows that come later still are settled alone.
create function booktape.settleable_before(at_time timestamptz default now()) returns timestamptz
language sql stable
return date_bin(booktape.chunk_span(), least(at_time - interval '10 minutes', (
  select min(j.recorded_until) from booktape.journals j where j.recorded_until > at_time - interval '24 hours'
)), timestamptz '1970-01-01 00:00:00+00');

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
    select p.epoch_id, p.chunk, p.message_seq, p.update_id, p.received_time, p.checksum, p.symbol, p.feed, p.line, p.marks,
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
      -- As they were written, so that a message that was changed before is found in its chunk as well.
      booktape.wrapped(sum(s.checksum)) as checksum,
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
    select r.received_from, r.received_to, r.epoch_id, r.first_seq, r.last_seq, r.least_update_id, r.last_update_id, r.checksum,
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

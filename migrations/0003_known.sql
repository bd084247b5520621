-- What is known when: the spans in which a book is proven, and the states a book was in. A state is the newest snapshot before it and the
-- last message to apply to it.

-- Until when each epoch is proven, as if nothing of it were missing. One without an end is proven as far as its journal has been
-- stored; while that is at most 10 s ago the recorder is alive and only commits in batches, so the newest book still stands.
create view booktape.proven_epochs as
select e.epoch_id, e.symbol, e.feed, e.line, e.started_at,
  coalesce(e.ended_at, case
    when j.recorded_until >= now() - interval '10 seconds' then timestamptz 'infinity'
    else greatest(e.started_at, j.recorded_until)
  end) as known_until,
  e.ended_at is null as has_no_end
from booktape.epochs e
left join booktape.journals j using (journal_id);

-- The spans in which a book is known: an epoch is one, or several where messages of it are missing or another line keeps them.
create view booktape.known_epochs as
select e.epoch_id, e.symbol, e.feed, e.line, e.started_at, e.known_until, e.has_no_end
from booktape.proven_epochs e
where not exists (select from booktape.gaps g where g.epoch_id = e.epoch_id)
  and not exists (select from booktape.omitted_runs o where o.epoch_id = e.epoch_id)
union all
select e.epoch_id, e.symbol, e.feed, e.line, lower(known.span), upper(known.span), e.has_no_end and upper(known.span) = e.known_until
from booktape.proven_epochs e
-- For each epoch by itself, so that a question about one symbol reads that symbol's runs and not those of all.
cross join lateral (
  select range_agg(m.span) as spans
  from (
    -- Null as an end: not known again yet.
    select tstzrange(g.started_at, g.ended_at, '()') as span from booktape.gaps g where g.epoch_id = e.epoch_id
    union all
    select tstzrange(o.from_time - interval '1 microsecond', o.to_time, '()') from booktape.omitted_runs o where o.epoch_id = e.epoch_id
  ) m
) missing
cross join lateral unnest(tstzmultirange(tstzrange(e.started_at, e.known_until, '[]')) - missing.spans) as known(span)
where missing.spans is not null;

-- An epoch whose book is known at an instant: v1 before ws, because v1 gives every event by itself; then by line.
create function booktape.epoch_at(of_symbol text, at_time timestamptz, of_feed text) returns uuid
language sql stable
return (
  select e.epoch_id
  from booktape.known_epochs e
  where e.symbol = of_symbol and (of_feed is null or e.feed = of_feed)
    and e.started_at <= at_time and e.known_until >= at_time
  order by e.feed = 'v1' desc, e.line, e.started_at desc
  limit 1
);

-- Whether a message after one and up to another of an epoch is missing or kept by another line: times alone do not tell where the
-- clock was set back.
create function booktape.lacks_message(of_epoch uuid, after_seq bigint, last_seq bigint) returns boolean
language sql stable
return exists (
  select from booktape.gaps g
  where g.epoch_id = of_epoch and g.message_seq > after_seq and g.message_seq <= lacks_message.last_seq
) or exists (
  select from booktape.omitted_runs o
  where o.epoch_id = of_epoch and o.last_seq > after_seq and o.first_seq <= lacks_message.last_seq
);

-- One state of one book: the snapshot to start from and the last message to apply.
create type booktape.book_state as (
  epoch_id uuid,
  snapshot_time timestamptz,
  snapshot_seq bigint,
  message_time timestamptz, -- as the snapshot's, and so below, where no message follows it
  message_seq bigint,
  update_id bigint,
  event_time_ns bigint
);

-- The state an epoch was in at an instant by receive time; null where no snapshot before it is stored (any more), or where a
-- message between the snapshot and the state is missing.
create function booktape.state_at(of_symbol text, of_epoch uuid, at_time timestamptz) returns booktape.book_state
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

-- The state an epoch was in after its last message with an update id up to the given one; null where no snapshot before it is stored.
-- Whether a message in between is missing is for the caller to ask.
create function booktape.state_after(of_epoch uuid, of_update bigint) returns booktape.book_state
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

-- The state an epoch begins with: its oldest stored snapshot.
create function booktape.first_state(of_epoch uuid) returns booktape.book_state
language sql stable as $$
  select row(s.epoch_id, s.received_time, s.message_seq, s.received_time, s.message_seq, s.update_id, s.event_time_ns)::booktape.book_state
  from booktape.book_snapshots s
  where s.epoch_id = of_epoch
    and s.received_time >= (select e.started_at from booktape.epochs e where e.epoch_id = of_epoch) - booktape.clock_step()
  order by s.message_seq
  limit 1
$$;

-- One stream out of many epochs and lines, for replaying a span of time from its first row on.

-- The feed to replay when none is named: the one whose book is known at the start, else the one that is known next.
create function booktape.feed_from(of_symbol text, start_time timestamptz, end_time timestamptz) returns text
language sql stable
return coalesce(
  (select e.feed from booktape.epochs e where e.epoch_id = booktape.epoch_at(of_symbol, start_time, null)),
  (select e.feed from booktape.known_epochs e
   where e.symbol = of_symbol and e.started_at > start_time and e.started_at < end_time
   order by e.started_at, e.feed = 'v1' desc limit 1)
);

-- The epoch to go on with at an instant: of one whose book is known there and stays so, else of the next to begin.
-- The line at hand is kept where it can be.
create function booktape.next_epoch(
  of_symbol text, of_feed text, at_line text, at_time timestamptz, end_time timestamptz
) returns booktape.known_epochs
language sql stable as $$
  select e
  from booktape.known_epochs e
  where e.symbol = of_symbol and e.feed = of_feed and e.started_at < end_time and e.known_until > at_time
  order by greatest(e.started_at, at_time), e.line = at_line desc nulls last, e.line, e.started_at desc
  limit 1
$$;

-- The spans in which one replay of [start_time, end_time) knows the book, in order, by the rule of market.changes_between: one
-- feed, a line kept until its epoch ends. `known_until` is the last instant known, and never later than what is stored.
create function booktape.replay_spans(of_symbol text, start_time timestamptz, end_time timestamptz, of_feed text)
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

-- The same spans with the books that they begin and end with. A span that begins within its epoch begins with the book as of then,
-- one that begins an epoch with its first stored snapshot. A span whose book is not stored whole is left out.
create function booktape.book_spans(of_symbol text, start_time timestamptz, end_time timestamptz, of_feed text)
returns table (
  place integer, epoch_id uuid, feed text, line text, begins timestamptz, begins_ns bigint, known_until timestamptz,
  opening booktape.book_state, closing booktape.book_state
)
language plpgsql stable as $$
#variable_conflict use_column
declare
  span record;
begin
  for span in select r.* from booktape.replay_spans(of_symbol, start_time, end_time, of_feed) r order by r.place loop
    place := span.place;
    epoch_id := span.epoch_id;
    feed := span.feed;
    line := span.line;
    known_until := span.known_until;
    begins := span.known_from;
    opening := null;
    if begins > (select e.started_at from booktape.epochs e where e.epoch_id = span.epoch_id) then
      opening := booktape.state_at(of_symbol, span.epoch_id, begins);
      begins_ns := booktape.nanoseconds(begins);
    end if;
    if (opening).epoch_id is null and span.is_beginning then
      opening := booktape.first_state(span.epoch_id);
      begins := greatest(begins, (opening).snapshot_time);
      select s.received_time_ns into begins_ns
      from booktape.book_snapshots s
      where s.epoch_id = span.epoch_id and s.message_seq = (opening).snapshot_seq and s.received_time = (opening).snapshot_time
      limit 1;
    end if;
    if (opening).epoch_id is not null and begins < end_time and begins <= span.proven_until then
      closing := booktape.state_at(of_symbol, span.epoch_id, least(span.proven_until, end_time - interval '1 microsecond'));
      return next;
    end if;
  end loop;
end
$$;

-- The changes of a symbol within [from_time, to_time) by receive time, to be applied in the order given.
--
-- It begins with the book at `from_time` as rows of is_snapshot: bids best first, then asks best first, counted on from 0;
-- changes received at that very instant are in it. A snapshot replaces the book: at its first row (is_snapshot and change_index 0)
-- drop what you hold. One feed, and one line at a time: a line is kept until its epoch ends, then another line's book at that
-- instant goes on, or, where no line knows the book, the first epoch after the hole. A `from_time` in a hole begins there
-- too. Where a message is missing, or another line keeps it, the stream breaks off before it and goes on with the next whole book, of
-- the same epoch_id then, or another line's. A book taken within an epoch has the ids of the message it stands after and the
-- time it is given for.
--
-- Returns the view's row type, because a result column cannot be declared with the name of an argument.
create function market.changes_between(symbol text, from_time timestamptz, to_time timestamptz, feed text default null)
returns setof market.book_changes
language plpgsql stable as $$
#variable_conflict use_column
declare
  span record;
  opening booktape.book_state;
  bids bigint;
begin
  perform booktape.check_question(changes_between.symbol, from_time, null, changes_between.feed);
  if to_time is null or to_time < from_time then
    raise exception using errcode = '22023', message = format('to_time must not lie before from_time, %s', from_time);
  end if;
  for span in
    select s.* from booktape.book_spans(changes_between.symbol, from_time, to_time, changes_between.feed) s order by s.place
  loop
    opening := span.opening;
    return query
    select changes_between.symbol, span.feed, span.line, span.epoch_id, opening.message_seq, l.level - 1, opening.update_id,
      booktape.instant(opening.event_time_ns), opening.event_time_ns, span.begins, span.begins_ns, l.side, l.price, l.quantity,
      'initial', true
    from booktape.levels('bid', opening, null) l;
    get diagnostics bids = row_count;
    return query
    select changes_between.symbol, span.feed, span.line, span.epoch_id, opening.message_seq, (bids + l.level - 1)::integer,
      opening.update_id, booktape.instant(opening.event_time_ns), opening.event_time_ns, span.begins, span.begins_ns, l.side, l.price,
      l.quantity, 'initial', true
    from booktape.levels('ask', opening, null) l;
    return query
    select c.*
    from booktape.changes_of(span.epoch_id, opening.message_seq, (span.closing).message_seq, opening.snapshot_time,
      (span.closing).message_time) c
    order by c.message_seq, c.change_index;
  end loop;
end
$$;

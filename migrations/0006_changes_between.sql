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
  where e.epoch_id = booktape.epoch_at(changes_between.symbol, from_time, changes_between.feed) and from_time < to_time
    and e.started_at <= from_time and e.known_until >= from_time;
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
      from booktape.changes_of(epoch.epoch_id, state.message_seq, final.message_seq, state.snapshot_time, final.message_time) c
      order by c.message_seq, c.change_index;
    end if;

    exit when epoch.known_until >= to_time;
    instant := epoch.known_until;
    epoch := booktape.next_epoch(epoch.symbol, epoch.feed, epoch.line, instant, to_time);
  end loop;
end
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

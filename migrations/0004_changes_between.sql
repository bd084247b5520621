-- One stream of level changes out of many epochs and lines, for replaying a span of time from its first row on.

-- The feed to replay when none is named: the one whose book is known at the start, else the one that is known next.
create function booktape.feed_from(of_symbol text, start_time timestamptz, end_time timestamptz) returns text
language sql stable
return coalesce(
  (select e.feed from booktape.epochs e where e.epoch_id = booktape.epoch_at(of_symbol, start_time, null)),
  (select e.feed from booktape.epochs e
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

-- The changes of a symbol within [from_time, to_time) by receive time, to be applied in the order given.
--
-- It begins with the book at `from_time` as rows of is_snapshot: bids best first, then asks best first, counted on from 0;
-- changes received at that very instant are in it. A snapshot replaces the book: at its first row (another epoch_id) drop
-- what you hold. One feed, and one line at a time: a line is kept until its epoch ends, then another line's book at that
-- instant goes on, or, where no line knows the book, the first epoch after the hole. A `from_time` in a hole begins there
-- too. A book taken within an epoch has the ids of the message it stands after and the time it is given for.
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
    if epoch.started_at < instant then
      state := booktape.state_at(changes_between.symbol, epoch.epoch_id, instant);
      given_ns := booktape.nanoseconds(instant);
    end if;
    if epoch.started_at >= instant or state.epoch_id is null then
      state := booktape.first_state(epoch.epoch_id);
      instant := greatest(instant, state.snapshot_time);
      select s.received_time_ns into given_ns
      from booktape.book_snapshots s
      where s.epoch_id = state.epoch_id and s.message_seq = state.snapshot_seq and s.received_time = state.snapshot_time
      limit 1;
    end if;

    if instant < to_time and state.epoch_id is not null then
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

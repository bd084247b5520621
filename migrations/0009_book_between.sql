-- The book over a span of time in one pass. It carries nothing over a gap or from one epoch into another.

-- first, first + every and so on, before `until`; `first` alone where `every` is null.
create function booktape.moments(first timestamptz, every interval, until timestamptz) returns setof timestamptz
language sql immutable as $$
  select first + n * coalesce(every, '0')
  from generate_series(0, case when every is null then 0 else ceil(extract(epoch from until - first) / extract(epoch from every))::integer end) n
  where first + n * coalesce(every, '0') < until
$$;

-- What happens to a book within a block of time, in order: the levels held when it begins (kind 0), the changes of an epoch's messages in
-- (after_seq, last_seq] (kind 1), and after those of the same instant each moment of `told` (kind 2). `place` is the level's for the
-- block: bids have odd places and asks even ones, the best first. `ends_message`: no change of the same message follows.
--
-- Our clock may have been set back: messages come in their own order, and none before the one ahead of it.
create function booktape.book_steps(
  of_epoch uuid, after_seq bigint, last_seq bigint, begins timestamptz, ends timestamptz,
  held_prices numeric[], held_quantities numeric[], held_bids bigint, told timestamptz[]
)
returns table (
  moment timestamptz, moment_ns bigint, kind integer, update_id bigint, price numeric, quantity numeric, place integer, ends_message boolean
)
language sql stable as $$
  select s.moment, case when s.moment = s.received_time then s.received_time_ns when s.kind > 0 then booktape.nanoseconds(s.moment) end,
    s.kind, s.update_id, s.price, s.quantity,
    case s.side
      when 'bid' then 2 * dense_rank() over (partition by s.side order by -s.price) - 1
      when 'ask' then 2 * dense_rank() over (partition by s.side order by s.price)
    end::integer,
    s.kind = 1 and s.message_seq is distinct from lead(s.message_seq) over (order by s.moment, s.kind, s.message_seq, s.change_index)
  from (
    select timestamptz '-infinity' as moment, null::timestamptz as received_time, null::bigint as received_time_ns, 0 as kind,
      null::bigint as message_seq, 0 as change_index, null::bigint as update_id,
      case when h.number <= held_bids then 'bid' else 'ask' end as side, h.price, h.quantity
    from unnest(held_prices, held_quantities) with ordinality as h(price, quantity, number)
    union all
    select greatest(begins, max(c.received_time) over (order by c.message_seq)), c.received_time, c.received_time_ns, 1,
      c.message_seq, c.change_index, c.update_id, c.side, c.price, c.quantity
    from booktape.changes_of(of_epoch, after_seq, last_seq, begins, ends) c
    union all
    select t, null, null, 2, null, 0, null, null, null, null
    from unnest(told) as t
  ) s
  order by s.moment, s.kind, s.message_seq, s.change_index
$$;

-- The best `depth` levels a side over [from_time, to_time) by receive time, best first, as arrays: at `from_time` and after each message
-- that changed them, or, with `every`, at from_time, from_time + every and so on, each as market.book_at gives it. A row holds until
-- the next. Where the book is not known (any more) a row says so with an epoch_id of null: a gap carries nothing over. One feed, and one
-- line at a time, as market.changes_between; nothing is known later than what is stored.
--
-- One pass: the book is held in an array, a place for each price that occurs in a block of time (booktape.book_steps). So a change sets
-- one place, and the top is read off from the first place that is filled.
create function market.book_between(
  symbol text, from_time timestamptz, to_time timestamptz, depth integer, every interval default null, feed text default null
)
returns table (
  book_time timestamptz, book_time_ns bigint, epoch_id uuid, update_id bigint, bid_prices numeric[], bid_quantities numeric[],
  ask_prices numeric[], ask_quantities numeric[]
)
language plpgsql stable as $$
#variable_conflict use_column
declare
  block constant interval := '5 minutes'; -- how much is read at once: the fewer prices in it, the fewer empty places
  sparse constant interval := '1 minute'; -- samples this far apart are each taken from the whole book stored before them
  no_place constant integer := 2147483647;
  next_time timestamptz := from_time; -- of the next sample; without `every`, the first instant nothing was told of
  told bigint;
  span record;
  state booktape.book_state;
  final booktape.book_state;
  begins timestamptz;
  ends timestamptz;
  moments timestamptz[];
  held_prices numeric[]; -- the book between two blocks: bids, then asks
  held_quantities numeric[];
  held_bids bigint;
  prices numeric[];
  quantities numeric[]; -- null where there is no level
  best integer[]; -- of bids and asks: no place before it is filled
  reach integer[]; -- of bids and asks: the last place of what was told
  is_stale boolean; -- something within reach was changed
  step record;
  side_of_step integer;
  place integer;
  found integer;
  top_prices numeric[];
  top_quantities numeric[];
  is_other boolean;
begin
  perform booktape.check_question(book_between.symbol, from_time, depth, book_between.feed);
  if depth is null then
    raise exception using errcode = '22023', message = 'depth must be given, not null';
  elsif to_time is null or to_time < from_time then
    raise exception using errcode = '22023', message = format('to_time must not lie before from_time, %s', from_time);
  elsif every is not null then
    perform booktape.check_buckets(every, from_time, to_time, 'every');
    every := ((extract(epoch from every) * 1000000)::bigint || ' microseconds')::interval; -- a day is 24 hours in any time zone
  end if;

  for span in select s.* from booktape.replay_spans(book_between.symbol, from_time, to_time, book_between.feed) s order by s.place loop
    begins := span.known_from;
    state := booktape.state_at(book_between.symbol, span.epoch_id, begins);
    if state.epoch_id is null then -- its beginning is no longer stored
      state := booktape.first_state(span.epoch_id);
      begins := greatest(begins, state.snapshot_time);
    end if;
    continue when state.epoch_id is null or begins > span.known_until;
    return query
    select m, booktape.nanoseconds(m), null::uuid, null::bigint, null::numeric[], null::numeric[], null::numeric[], null::numeric[]
    from booktape.moments(next_time, every, begins) m;
    get diagnostics told = row_count;
    next_time := next_time + told * coalesce(every, '0');
    epoch_id := span.epoch_id;

    if every >= sparse then
      return query
      select g.moment, booktape.nanoseconds(g.moment), s.epoch_id, s.update_id,
        b.bid_prices, b.bid_quantities, b.ask_prices, b.ask_quantities
      from booktape.moments(next_time, every, least(to_time, span.known_until + interval '1 microsecond')) as g(moment)
      cross join lateral booktape.state_at(book_between.symbol, span.epoch_id, g.moment) s
      cross join lateral (
        select coalesce(array_agg(l.price order by l.level) filter (where l.side = 'bid'), '{}') as bid_prices,
          coalesce(array_agg(l.quantity order by l.level) filter (where l.side = 'bid'), '{}') as bid_quantities,
          coalesce(array_agg(l.price order by l.level) filter (where l.side = 'ask'), '{}') as ask_prices,
          coalesce(array_agg(l.quantity order by l.level) filter (where l.side = 'ask'), '{}') as ask_quantities
        from booktape.book_levels('{bid,ask}', s, depth) l
      ) b
      order by g.moment;
      get diagnostics told = row_count;
      next_time := next_time + told * every;
      continue;
    end if;

    select array_agg(l.price), array_agg(l.quantity), count(*) filter (where l.side = 'bid') into held_prices, held_quantities, held_bids
    from booktape.book_levels('{bid,ask}', state, null) l;
    update_id := state.update_id;
    moments := array[begins];

    loop
      ends := least(begins + block, span.known_until);
      final := booktape.state_at(book_between.symbol, span.epoch_id, least(ends, to_time - interval '1 microsecond'));
      if every is not null then
        moments := array(
          select m from booktape.moments(next_time, every,
            case when ends = span.known_until then least(ends + interval '1 microsecond', to_time) else ends end) m
        );
        next_time := next_time + cardinality(moments) * every;
      end if;
      prices := array[null, null]::numeric[];
      quantities := prices;
      best := array[1, 2];
      reach := array[no_place, no_place];
      is_stale := true;

      for step in
        select w.* from booktape.book_steps(span.epoch_id, state.message_seq, final.message_seq, begins, ends,
          held_prices, held_quantities, held_bids, moments) w
      loop
        if step.place is not null then
          prices[step.place] := step.price;
          quantities[step.place] := nullif(step.quantity, 0);
          side_of_step := 2 - step.place % 2;
          if step.place < best[side_of_step] then
            best[side_of_step] := step.place;
          end if;
          is_stale := is_stale or step.place <= reach[side_of_step];
          update_id := coalesce(step.update_id, update_id);
        end if;
        continue when step.kind = 0 or step.kind = 1 and (every is not null or not is_stale or not step.ends_message);

        is_other := step.kind = 2;
        if is_stale then
          for side in 1..2 loop
            place := best[side];
            found := 0;
            top_prices := '{}';
            top_quantities := '{}';
            while found < depth and place <= cardinality(quantities) loop
              if quantities[place] is not null then
                if found = 0 then
                  best[side] := place;
                end if;
                found := found + 1;
                reach[side] := place;
                top_prices := array_append(top_prices, prices[place]);
                top_quantities := array_append(top_quantities, quantities[place]);
              end if;
              place := place + 2;
            end loop;
            if found < depth then
              reach[side] := no_place;
            end if;
            if side = 1 then
              is_other := is_other or top_prices <> bid_prices or top_quantities <> bid_quantities;
              bid_prices := top_prices;
              bid_quantities := top_quantities;
            else
              is_other := is_other or top_prices <> ask_prices or top_quantities <> ask_quantities;
              ask_prices := top_prices;
              ask_quantities := top_quantities;
            end if;
          end loop;
          is_stale := false;
        end if;
        if is_other then
          book_time := step.moment;
          book_time_ns := step.moment_ns;
          return next;
        end if;
      end loop;

      exit when ends = span.known_until;
      select array_agg(b.price order by b.number % 2 desc), array_agg(b.quantity order by b.number % 2 desc),
        count(*) filter (where b.number % 2 = 1)
      into held_prices, held_quantities, held_bids
      from unnest(prices, quantities) with ordinality as b(price, quantity, number)
      where b.quantity is not null;
      if final.message_seq > state.message_seq then
        state := final;
      end if;
      begins := ends;
      moments := '{}';
    end loop;
    if every is null then
      next_time := span.known_until + interval '1 microsecond';
    end if;
  end loop;

  return query
  select m, booktape.nanoseconds(m), null::uuid, null::bigint, null::numeric[], null::numeric[], null::numeric[], null::numeric[]
  from booktape.moments(next_time, every, to_time) m;
end
$$;

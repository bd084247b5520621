-- What need not be kept once messages are settled (docs/adr/0007-settled-chunks.md). Whole books are stored by the clock, so that a recording
-- that breaks off is never far from one: as many are kept as bound the work of making a book. Of what two lines saw, one line's is kept.

-- How many changes may lie between two kept books: what a book of that size is worth in changes, and no fewer than are read fast.
create function booktape.changes_between_books(levels integer) returns integer
language sql immutable parallel safe
return greatest(10000, levels);

-- Takes away the books of a symbol, received before an instant, without which the changes from the kept book before to the book
-- after are still few enough; gives how many. The first and the last book of an epoch always stay, and so do all those of an
-- epoch that lacks messages, since any of them may be the one from which on the book is known again.
create function booktape.thin_books(of_symbol text, before timestamptz) returns integer
language plpgsql as $$
declare
  -- A book without a later one in its epoch is looked at again in the hours that follow.
  looked_back constant interval := interval '2 hours';
  thinned_until timestamptz;
  book record;
  kept_seq bigint; -- of the kept book before
  kept_epoch uuid;
  following bigint;
  changes bigint;
  taken integer := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('booktape settles ' || of_symbol, 0)) then
    return 0;
  end if;
  select t.until into thinned_until from booktape.thinned_books t where t.symbol = of_symbol;
  for book in
    select s.epoch_id, s.message_seq, s.received_time, s.reason, s.feed, s.line, s.checksum,
      cardinality(s.bid_prices) + cardinality(s.ask_prices) as levels
    from booktape.book_snapshots s
    where s.symbol = of_symbol and s.received_time < before
      and s.received_time >= coalesce(thinned_until - looked_back, '-infinity')
      and not exists (select from booktape.gaps g where g.epoch_id = s.epoch_id)
    order by s.epoch_id, s.message_seq, s.reason <> 'interval' desc
  loop
    if kept_epoch is distinct from book.epoch_id then
      kept_epoch := book.epoch_id;
      select max(s.message_seq) into kept_seq from booktape.book_snapshots s
      where s.epoch_id = book.epoch_id and s.message_seq < book.message_seq;
    end if;
    select min(s.message_seq) into following from booktape.book_snapshots s
    where s.epoch_id = book.epoch_id and s.message_seq > book.message_seq;
    -- The first book after what another line keeps is where this epoch is known again.
    if book.reason = 'interval' and kept_seq is not null and following is not null
      and not exists (select from booktape.omitted_runs o
        where o.epoch_id = book.epoch_id and o.last_seq > kept_seq and o.first_seq <= book.message_seq)
    then
      -- To the chunk, which is near enough. The letters are counted because that needs no chunk to be unfolded.
      select coalesce(sum(octet_length(c.marks)), 0) into changes from booktape.book_chunks c
      where c.epoch_id = book.epoch_id and c.last_seq > kept_seq and c.last_seq <= following;
      changes := changes + (
        select coalesce(sum(cardinality(m.prices)), 0) from booktape.book_messages m
        where m.epoch_id = book.epoch_id and m.message_seq > kept_seq and m.message_seq <= following);
      if changes <= booktape.changes_between_books(book.levels) then
        delete from booktape.book_snapshots s
        where s.epoch_id = book.epoch_id and s.message_seq = book.message_seq and s.received_time = book.received_time
          and s.reason = 'interval';
        if found then
          perform booktape.tally('book_snapshots', of_symbol, book.feed, book.line, booktape.hour_of(book.received_time), -1, -book.checksum);
        end if;
        taken := taken + 1;
        continue;
      end if;
    end if;
    kept_seq := book.message_seq;
  end loop;
  insert into booktape.thinned_books as t values (of_symbol, before)
  on conflict (symbol) do update set until = greatest(t.until, excluded.until);
  return taken;
end
$$;

create function booktape.checksum_of(run booktape.omitted_runs) returns bigint
language sql stable parallel safe
return booktape.checksum(array['omitted_runs', run.epoch_id::text, run.first_seq::text, run.last_seq::text, run.first_update_id::text,
  run.last_update_id::text, extract(epoch from run.from_time)::text, extract(epoch from run.to_time)::text, run.kept_epoch_id::text]);

-- Takes away what a line with an earlier name keeps too, of a symbol's chunks before an instant; gives how many chunks.
create function booktape.omit_copies(of_symbol text, before timestamptz) returns integer
language plpgsql as $$
declare
  pair record;
  opening record; -- the whole book of the copy from which on all its ids are the other's too
  closing record; -- the last such
  run record;
  gone record;
  noted booktape.omitted_runs;
  omitted integer := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('booktape settles ' || of_symbol, 0)) then
    return 0;
  end if;
  -- The other epoch must be whole itself, so with three lines all copies are of the first.
  for pair in
    select copy.epoch_id, copy.feed, copy.line, copy.started_at, kept.epoch_id as kept_epoch_id, kept.first_update_id as kept_first, kept.started_at as kept_from,
      least(kept.known_until, before) as kept_until,
      (select c.last_update_id from booktape.book_chunks c where c.epoch_id = kept.epoch_id order by c.first_seq desc limit 1) as kept_last
    from booktape.proven_epochs copy
    join (select p.*, e.first_update_id from booktape.proven_epochs p join booktape.epochs e using (epoch_id)) kept
      on kept.symbol = copy.symbol and kept.feed = copy.feed and kept.line < copy.line
        and kept.started_at < copy.known_until and kept.known_until > copy.started_at
    where copy.symbol = of_symbol and copy.started_at < before
      and not exists (select from booktape.gaps g where g.epoch_id in (copy.epoch_id, kept.epoch_id))
      and not exists (select from booktape.omitted_runs o where o.epoch_id = kept.epoch_id)
      and exists (select from booktape.book_chunks c where c.epoch_id = copy.epoch_id)
    order by copy.started_at, kept.line, kept.started_at
  loop
    select s.message_seq, s.received_time into opening from booktape.book_snapshots s
    where s.epoch_id = pair.epoch_id and s.update_id >= pair.kept_first and s.received_time >= pair.kept_from
      and s.message_seq >= coalesce((select max(o.last_seq) from booktape.omitted_runs o where o.epoch_id = pair.epoch_id), 0)
    order by s.message_seq limit 1;
    continue when not found;
    select s.message_seq, s.received_time, s.update_id into closing from booktape.book_snapshots s
    where s.epoch_id = pair.epoch_id and s.update_id <= pair.kept_last and s.received_time <= pair.kept_until
      and s.message_seq > opening.message_seq
    order by s.message_seq desc limit 1;
    continue when not found;
    select min(c.first_seq) as first_seq, max(c.last_seq) as last_seq, min(c.received_from) as from_time, max(c.received_to) as to_time,
      min(c.least_update_id) as first_update_id, max(c.last_update_id) as last_update_id, count(*) as chunks into run
    from booktape.book_chunks c
    where c.epoch_id = pair.epoch_id and c.first_seq > opening.message_seq and c.last_seq <= closing.message_seq;
    -- Where our clock was set back, times do not tell what lies between two messages: such a run is kept.
    continue when run.chunks = 0 or run.from_time < opening.received_time or run.to_time > closing.received_time
      or exists (select from booktape.book_messages m
        where m.epoch_id = pair.epoch_id and m.message_seq > run.first_seq and m.message_seq < run.last_seq)
      -- The newest message tells how far an epoch without an end has come.
      or not exists (select from booktape.book_messages m where m.epoch_id = pair.epoch_id and m.message_seq > run.last_seq)
        and not exists (select from booktape.book_chunks c where c.epoch_id = pair.epoch_id and c.first_seq > run.last_seq)
        and (select e.ended_at is null from booktape.epochs e where e.epoch_id = pair.epoch_id);
    for gone in
      delete from booktape.book_chunks c
      where c.epoch_id = pair.epoch_id and c.first_seq >= run.first_seq and c.last_seq <= run.last_seq
      returning c.symbol, c.feed, c.line, c.received_from, cardinality(c.seq_steps) as messages, c.checksum
    loop
      perform booktape.tally('book_messages', gone.symbol, gone.feed, gone.line, booktape.hour_of(gone.received_from),
        -gone.messages, -gone.checksum);
    end loop;
    for gone in
      delete from booktape.book_snapshots s
      where s.epoch_id = pair.epoch_id and s.message_seq >= run.first_seq and s.message_seq < closing.message_seq and s.reason = 'interval'
      returning s.symbol, s.feed, s.line, s.received_time, s.checksum
    loop
      perform booktape.tally('book_snapshots', gone.symbol, gone.feed, gone.line, booktape.hour_of(gone.received_time), -1, -gone.checksum);
    end loop;
    noted := (pair.epoch_id, run.first_seq, run.last_seq, run.first_update_id, run.last_update_id, run.from_time,
      closing.received_time, pair.kept_epoch_id, 0);
    noted.checksum := booktape.checksum_of(noted);
    insert into booktape.omitted_runs values (noted.*);
    perform booktape.tally('omitted_runs', of_symbol, pair.feed, pair.line, booktape.hour_of(run.from_time), 1, 0);
    omitted := omitted + run.chunks;
  end loop;
  return omitted;
end
$$;

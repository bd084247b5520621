-- Whole books are stored by the clock, so that a recording that breaks off is never far from one. Once their messages are settled,
-- as many are kept as bound the work of making a book: docs/adr/0007-settled-chunks.md.

-- How many changes may lie between two kept books: what a book of that size is worth in changes, and no fewer than are read fast.
create function booktape.changes_between_books(levels integer) returns integer
language sql immutable parallel safe
return greatest(10000, levels);

-- Until where the books of a symbol have been thinned.
create table booktape.thinned_books (
  symbol text primary key,
  until timestamptz not null
);

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
    select s.epoch_id, s.message_seq, s.received_time, s.reason, cardinality(s.bid_prices) + cardinality(s.ask_prices) as levels
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

-- What two redundant lines both saw is kept once (docs/adr/0007-settled-chunks.md): of an epoch of the later line, a run of chunks
-- whose ids another line's epoch holds too is taken away. The epoch is not known there, as where a message is missing.
create table booktape.omitted_runs (
  epoch_id uuid not null,
  first_seq bigint not null, -- of the first message that was taken away
  last_seq bigint not null,
  first_update_id bigint not null,
  last_update_id bigint not null,
  from_time timestamptz not null, -- when the first of them was received
  to_time timestamptz not null, -- of the whole book after them, from which on the epoch is known again
  kept_epoch_id uuid not null, -- the epoch that holds the same ids
  primary key (epoch_id, first_seq)
);
create index on booktape.omitted_runs (kept_epoch_id);

-- As in 0007, without the runs that another line keeps.
create or replace view booktape.known_epochs as
select e.epoch_id, e.symbol, e.feed, e.line, e.started_at, e.known_until, e.has_no_end
from booktape.proven_epochs e
where not exists (select from booktape.gaps g where g.epoch_id = e.epoch_id)
  and not exists (select from booktape.omitted_runs o where o.epoch_id = e.epoch_id)
union all
select e.epoch_id, e.symbol, e.feed, e.line, lower(known.span), upper(known.span), e.has_no_end and upper(known.span) = e.known_until
from booktape.proven_epochs e
join (
  select m.epoch_id, range_agg(m.span) as spans
  from (
    -- Null as an end: not known again yet.
    select g.epoch_id, tstzrange(g.started_at, g.ended_at, '()') as span from booktape.gaps g where g.epoch_id is not null
    union all
    select o.epoch_id, tstzrange(o.from_time - interval '1 microsecond', o.to_time, '()') from booktape.omitted_runs o
  ) m
  group by m.epoch_id
) missing using (epoch_id)
cross join lateral unnest(tstzmultirange(tstzrange(e.started_at, e.known_until, '[]')) - missing.spans) as known(span);

create or replace function booktape.lacks_message(of_epoch uuid, after_seq bigint, last_seq bigint) returns boolean
language sql stable
return exists (
  select from booktape.gaps g
  where g.epoch_id = of_epoch and g.message_seq > after_seq and g.message_seq <= lacks_message.last_seq
) or exists (
  select from booktape.omitted_runs o
  where o.epoch_id = of_epoch and o.last_seq > after_seq and o.first_seq <= lacks_message.last_seq
);

-- Takes away what a line with an earlier name keeps too, of a symbol's chunks before an instant; gives how many chunks.
create function booktape.omit_copies(of_symbol text, before timestamptz) returns integer
language plpgsql as $$
declare
  pair record;
  opening record; -- the whole book of the copy from which on all its ids are the other's too
  closing record; -- the last such
  run record;
  omitted integer := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('booktape settles ' || of_symbol, 0)) then
    return 0;
  end if;
  -- The other epoch must be whole itself, so with three lines all copies are of the first.
  for pair in
    select copy.epoch_id, copy.started_at, kept.epoch_id as kept_epoch_id, kept.first_update_id as kept_first, kept.started_at as kept_from,
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
    delete from booktape.book_chunks c
    where c.epoch_id = pair.epoch_id and c.first_seq >= run.first_seq and c.last_seq <= run.last_seq;
    delete from booktape.book_snapshots s
    where s.epoch_id = pair.epoch_id and s.message_seq >= run.first_seq and s.message_seq < closing.message_seq and s.reason = 'interval';
    insert into booktape.omitted_runs
    values (pair.epoch_id, run.first_seq, run.last_seq, run.first_update_id, run.last_update_id, run.from_time,
      closing.received_time, pair.kept_epoch_id);
    omitted := omitted + run.chunks;
  end loop;
  return omitted;
end
$$;

-- As in 0007, but names the epoch that has it where another line keeps it.
create or replace function market.book_at_update(symbol text, epoch_id uuid, update_id bigint, depth integer default null)
returns table (side text, level integer, price numeric, quantity numeric)
language plpgsql stable as $$
#variable_conflict use_column
declare
  epoch record;
  state booktape.book_state;
  missing record;
  elsewhere record;
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
  select o.kept_epoch_id, e.line into elsewhere
  from booktape.omitted_runs o left join booktape.epochs e on e.epoch_id = o.kept_epoch_id
  where o.epoch_id = book_at_update.epoch_id and o.last_seq > state.snapshot_seq and o.first_update_id <= book_at_update.update_id
  order by o.first_seq
  limit 1;
  if found then
    raise exception using errcode = 'BT001',
      message = format('the book of %s after update %s is not kept in epoch %s: the same is in epoch %s of line %s', book_at_update.symbol,
        book_at_update.update_id, book_at_update.epoch_id, elsewhere.kept_epoch_id, elsewhere.line);
  end if;
  return query select l.side, l.level, l.price, l.quantity from booktape.book_levels('{bid,ask}', state, depth) l;
end
$$;

do $$
begin
  if to_regrole('booktape_reader') is not null then
    grant select on booktape.omitted_runs to booktape_reader;
  end if;
  revoke execute on function booktape.thin_books(text, timestamptz), booktape.omit_copies(text, timestamptz) from public;
end
$$;

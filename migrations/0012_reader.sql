-- Who may do what, for everything the files before this one make; what a later file adds, it gives rights to itself.
--
-- What makes partitions, moves rows or drops them is for the owner alone, and for whom deploy/postgres/roles.sql names. The role for
-- people and dashboards reads schema market and changes nothing.
--
-- Functions run with the rights of the caller, so the reader may also read the tables behind them. The other way, functions
-- with the rights of their owner, would turn each mistake in one of them into a way to write.
revoke execute on function booktape.make_partition(text, date), booktape.make_partitions(date, integer),
  booktape.settle(text, timestamptz, integer), booktape.unsettled_symbols(timestamptz), booktape.drop_emptied(date),
  booktape.thin_books(text, timestamptz), booktape.omit_copies(text, timestamptz) from public;

do $$
begin
  if not exists (select from pg_roles where rolname = 'booktape_reader') then
    begin
      create role booktape_reader nologin;
    exception
      when insufficient_privilege then
        raise notice 'no right to create roles: have one created with "create role booktape_reader nologin", and grant it what 0012_reader.sql does';
        return;
      -- Roles are the whole server's: another of its databases may be migrated at the same time.
      when duplicate_object or unique_violation then null;
    end;
  end if;
  grant usage on schema market, booktape to booktape_reader;
  grant select on all tables in schema market to booktape_reader;
  grant select on booktape.venue, booktape.journals, booktape.sessions, booktape.epochs, booktape.gaps, booktape.book_messages,
    booktape.book_chunks, booktape.book_snapshots, booktape.quotes, booktape.trades, booktape.instruments, booktape.audits,
    booktape.quarantine, booktape.omitted_runs, booktape.tallies, booktape.settled_messages, booktape.settled_changes, booktape.known_epochs
    to booktape_reader;
end
$$;

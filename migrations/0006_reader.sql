-- The role for people and dashboards: it reads schema market and nothing else it could change.
--
-- Functions run with the rights of the caller, so the reader may also read the tables behind them. The other way, functions
-- with the rights of their owner, would turn each mistake in one of them into a way to write.
do $$
begin
  if not exists (select from pg_roles where rolname = 'booktape_reader') then
    begin
      create role booktape_reader nologin;
    exception
      when insufficient_privilege then
        raise notice 'no right to create roles: have one created with "create role booktape_reader nologin", and grant it what 0006_reader.sql does';
        return;
      -- Roles are the whole server's: another of its databases may be migrated at the same time.
      when duplicate_object or unique_violation then null;
    end;
  end if;
  grant usage on schema market, booktape to booktape_reader;
  grant select on all tables in schema market to booktape_reader;
  grant select on booktape.venue, booktape.journals, booktape.sessions, booktape.epochs, booktape.gaps, booktape.book_messages,
    booktape.book_snapshots, booktape.quotes, booktape.trades, booktape.instruments, booktape.audits, booktape.quarantine,
    booktape.known_epochs to booktape_reader;
  revoke execute on function booktape.make_partitions(date, integer) from public;
end
$$;

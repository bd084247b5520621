-- The database roles of booktape, each with the rights it needs and no other. For an administrator, who runs this file in
-- booktape's database:
--
--   1. while it is empty: makes the roles
--   2. after the first "booktape migrate", made as booktape_migrator: gives them their rights
--   3. after every later "booktape migrate" that applied something: rights are given to tables and functions by name, so what is new
--      has none for the recorder until then, and a function that was replaced has lost the right to run as its owner
--
-- Whatever stands is left as it is, so running it once too often does no harm. A database that someone else has migrated
-- is handed over to booktape_migrator.
--
--   booktape_migrator  owns the schemas; only "booktape migrate" signs in as it
--   booktape_recorder  what DATABASE_URL of "booktape record" names
--   booktape_account   what DATABASE_URL of "booktape account" names; reads the market, writes schema account
--   booktape_archiver  what DATABASE_URL of "booktape archive" names: reads what a reader reads, and notes which days are archived
--   booktape_reader    people and dashboards, "booktape export", "replay" and "verify"; cannot sign in itself: grant it to the logins that may read
--
-- No password stands here: give the first four theirs with "\password booktape_migrator" and so on. Neither the recorder nor the
-- readers see anything of schema account.

do $$
declare
  wanted record;
  strong text;
begin
  for wanted in values ('booktape_migrator', 'login'), ('booktape_recorder', 'login'), ('booktape_account', 'login'),
    ('booktape_archiver', 'login'), ('booktape_reader', 'nologin') loop
    if to_regrole(wanted.column1) is null then
      begin
        execute format('create role %I %s', wanted.column1, wanted.column2);
      exception
        -- Roles are the whole server's: another of its databases may be set up at the same time.
        when duplicate_object or unique_violation then null;
      end;
    end if;
  end loop;
  select string_agg(rolname, ', ') into strong from pg_roles
  where rolname in ('booktape_migrator', 'booktape_recorder', 'booktape_archiver', 'booktape_account', 'booktape_reader')
    and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls);
  if strong is not null then
    raise exception '% may do more than booktape needs: take superuser, createrole, createdb, replication and bypassrls away first', strong;
  end if;

  -- By default everybody may make temporary tables, and on databases older than version 15 tables in schema public.
  execute format('revoke temporary on database %I from public', current_database());
  execute format('grant connect on database %I to booktape_migrator, booktape_recorder, booktape_archiver, booktape_account, booktape_reader', current_database());
  execute format('grant create on database %I to booktape_migrator', current_database());
end
$$;
revoke create on schema public from public;
grant usage, create on schema public to booktape_migrator; -- for the list of applied migrations

do $$
declare
  owned record;
begin
  if to_regnamespace('booktape') is null or to_regnamespace('market') is null then
    raise notice 'the roles are there; next: "booktape migrate" as booktape_migrator, then this file again';
    return;
  end if;

  for owned in
    select format('schema %I', nspname) as what from pg_namespace where nspname in ('booktape', 'market', 'account')
    union all
    select format('table %s', oid::regclass) from pg_class
    where relkind in ('r', 'p', 'v')
      and (relnamespace in ('booktape'::regnamespace, 'market'::regnamespace, 'account'::regnamespace) or oid = to_regclass('public.booktape_migrations'))
      and relowner <> 'booktape_migrator'::regrole
    union all
    select format('type %s', reltype::regtype) from pg_class
    where relkind = 'c' and relnamespace in ('booktape'::regnamespace, 'market'::regnamespace, 'account'::regnamespace)
      and relowner <> 'booktape_migrator'::regrole
    union all
    select format('routine %s', oid::regprocedure) from pg_proc
    where pronamespace in ('booktape'::regnamespace, 'market'::regnamespace, 'account'::regnamespace)
      and proowner <> 'booktape_migrator'::regrole
  loop
    execute format('alter %s owner to booktape_migrator', owned.what);
  end loop;

  -- The recorder begins with nothing, so that a right taken out of this file is taken away by running it.
  revoke all on all tables in schema booktape, market, account from booktape_recorder;
  revoke all on all functions in schema booktape, market, account from booktape_recorder;
  grant usage on schema booktape to booktape_recorder;
  -- Whether the tables are those it writes (services/recorder, contact.ts).
  grant select on public.booktape_migrations to booktape_recorder;
  -- Whose data this is (packages/store, venue-stamp.ts).
  grant select, insert (name, checksum) on booktape.venue to booktape_recorder;
  -- What is added (stored-columns.ts) ...
  grant insert on booktape.sessions, booktape.epochs, booktape.gaps, booktape.book_messages, booktape.book_snapshots,
    booktape.quotes, booktape.trades, booktape.instruments, booktape.audits, booktape.quarantine to booktape_recorder;
  grant insert (journal_id, line, shard, checksum) on booktape.journals to booktape_recorder;
  -- ... what is looked up to change a row, or to compare with one that stands (writer.ts, instrument-history.ts) ...
  grant select on booktape.journals, booktape.sessions, booktape.epochs, booktape.gaps, booktape.trades,
    booktape.instruments to booktape_recorder;
  grant select (epoch_id, received_time, update_id) on booktape.book_messages to booktape_recorder; -- where an epoch ended
  grant select (epoch_id, received_from, received_to, last_update_id) on booktape.book_chunks to booktape_recorder; -- the same
  -- ... what its status page asks: market.coverage, and the spans that it is made of ...
  grant usage on schema market to booktape_recorder;
  grant select on booktape.known_epochs to booktape_recorder;
  -- ... by what rows are counted that were just added (counted-by.ts) ...
  grant select (symbol, feed, line, received_time, checksum) on booktape.book_messages, booktape.book_snapshots, booktape.quotes,
    booktape.quarantine to booktape_recorder;
  grant select (symbol, feed, line, audited_at, checksum) on booktape.audits to booktape_recorder;
  -- ... and what may be changed: ends of what was open, and the mark on a trade that the venue took back. A price, a
  -- quantity, an id or a time that stands can be changed by nobody but the owner.
  grant update (written_position, recorded_until, checksum) on booktape.journals to booktape_recorder;
  grant update (closed_at, close_code, close_reason, checksum) on booktape.sessions to booktape_recorder;
  grant update (ended_at, last_update_id, end_reason, checksum) on booktape.epochs to booktape_recorder;
  grant update (to_id, ended_at, state, checksum) on booktape.gaps to booktape_recorder;
  grant update (broken, checksum) on booktape.trades to booktape_recorder;
  grant update (valid_to, checksum) on booktape.instruments to booktape_recorder;
  -- What was added is counted in the same transaction (tallies.ts).
  grant select, insert on booktape.tallies to booktape_recorder;
  grant update (row_count, checksum) on booktape.tallies to booktape_recorder;
  grant delete on booktape.gaps to booktape_recorder; -- a gap that proved empty
  -- How far "booktape backfill" has read REST (trade-reads.ts).
  grant select, insert, update (until_time, first_id, last_id) on booktape.trade_reads to booktape_recorder;

  -- The partitions belong to the owner of the tables, and messages are settled by taking them out of one table and into another:
  -- the few functions that do so run with its rights. They take days, numbers and times, and names are whole and quoted;
  -- the search path is fixed all the same.
  for owned in
    select r.oid::regprocedure as what from unnest(array[
      'booktape.make_partitions(date, integer)', 'booktape.settle(text, timestamptz, integer)',
      'booktape.unsettled_symbols(timestamptz)', 'booktape.settleable_before(timestamptz)', 'booktape.drop_emptied(date)',
      'booktape.thin_books(text, timestamp with time zone)', 'booktape.omit_copies(text, timestamp with time zone)'
    ]::regprocedure[]) as r(oid)
  loop
    execute format('alter function %s security definer', owned.what);
    execute format('alter function %s set search_path = pg_catalog, pg_temp', owned.what);
    execute format('revoke execute on function %s from public', owned.what);
    execute format('grant execute on function %s to booktape_recorder', owned.what);
  end loop;
  revoke execute on function booktape.make_partition(text, date) from public;
  -- Rows of a day that nobody made a partition for are an alarm (partitions.ts).
  grant select on booktape.book_messages_default, booktape.book_chunks_default, booktape.book_snapshots_default, booktape.quotes_default
    to booktape_recorder;

  -- As migrations/0012_reader.sql has it, for a database whose migrator could not make roles.
  grant usage on schema market, booktape to booktape_reader;
  grant select on all tables in schema market to booktape_reader;
  grant select on booktape.venue, booktape.journals, booktape.sessions, booktape.epochs, booktape.gaps, booktape.book_messages,
    booktape.book_snapshots, booktape.quotes, booktape.trades, booktape.instruments, booktape.audits, booktape.quarantine,
    booktape.known_epochs, booktape.book_chunks, booktape.settled_messages, booktape.settled_changes,
    booktape.omitted_runs, booktape.tallies, booktape.archived_days to booktape_reader;

  -- The archiver begins with nothing too. Of a day that is over it reads what a reader may, and when the recorders are past it ...
  revoke all on all tables in schema booktape, market from booktape_archiver;
  revoke all on all functions in schema booktape, market from booktape_archiver;
  if not pg_has_role('booktape_archiver', 'booktape_reader', 'usage') then
    grant booktape_reader to booktape_archiver;
  end if;
  grant select on booktape.proven_epochs to booktape_archiver;
  grant execute on function booktape.settleable_before(timestamptz) to booktape_archiver;
  -- ... and what it writes is which days stand in the archive, by which "booktape retention" drops them (archived-days.ts).
  grant insert, delete on booktape.archived_days to booktape_archiver;
  grant update (verified_at, place, manifest, checksum) on booktape.archived_days to booktape_archiver;

  -- Who writes down what an account was offered and did: reads the market as people do, and of its own changes only what becomes known
  -- later.
  revoke all on all tables in schema booktape, market, account from booktape_account;
  revoke all on all functions in schema account from booktape_account;
  begin
    grant booktape_reader to booktape_account;
  exception
    when unique_violation then null; -- another database of the server is set up at the same time
  end;
  grant usage on schema account to booktape_account;
  grant select on public.booktape_migrations to booktape_account;
  grant insert (name, checksum) on booktape.venue to booktape_account;
  grant select, insert on all tables in schema account to booktape_account;
  grant update (written_position, state, recorded_until) on account.journals to booktape_account;
  grant update (book_state, book_reason, book_feed, book_epoch_id, book_update_id, book_filled_quantity, book_average_price,
    book_worst_price, book_levels, premium_bps, premium_with_fee_bps) on account.instant_quotes to booktape_account;
  -- What is made of other rows; what the other feed knows better of a fill; the end of a gap.
  grant update on account.orders to booktape_account;
  grant update (fee, fee_currency, liquidity, venue_time, venue_time_ns) on account.fills to booktape_account;
  grant update (ended_at, state, to_sequence) on account.gaps to booktape_account;
  grant execute on all functions in schema account to booktape_account;
end
$$;

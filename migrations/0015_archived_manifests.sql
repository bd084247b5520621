-- What is noted of an archived day is the SHA-256 of its manifest too, which names all others by theirs, and by these every file: so nothing of an
-- archive can be put in the place of what was verified without "booktape verify --archive" finding it. Days noted before are forgotten:
-- a day without a row is not dropped, and the next "booktape archive" notes it again.
delete from booktape.archived_days;
alter table booktape.archived_days
  add column manifest text not null check (manifest ~ '^[0-9a-f]{64}$'),
  add column checksum bigint not null;

create function booktape.checksum_of(noted booktape.archived_days) returns bigint
language sql stable parallel safe
return booktape.checksum(array['archived_days', to_char(noted.day, 'YYYY-MM-DD'), extract(epoch from noted.verified_at)::text, noted.place,
  noted.manifest]);

do $$
begin
  if to_regrole('booktape_reader') is not null then
    grant select on booktape.archived_days to booktape_reader;
  end if;
end
$$;

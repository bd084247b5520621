-- Days that "booktape archive" has written, read back and published (docs/archive.md). `booktape retention` drops a day of an archived
-- database only when this day and the next stand here: the next day's first book is made from this one's rows.
--
-- What is noted of a day is the SHA-256 of its manifest, which names all others by theirs, and by these every file: so nothing of an archive
-- can be put in the place of what was verified without `booktape verify --archive` finding it. A row that is gone keeps its day from being dropped,
-- and the next `booktape archive` notes it again.
create table booktape.archived_days (
  day date primary key,
  verified_at timestamptz not null,
  place text not null, -- the archive's address, without keys
  manifest text not null check (manifest ~ '^[0-9a-f]{64}$'),
  checksum bigint not null
);

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

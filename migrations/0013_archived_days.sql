-- Days that "booktape archive" has written, read back and published (docs/archive.md). `booktape retention` drops a day of an archived
-- database only when this day and the next stand here: the next day's first book is made from this one's rows.
create table booktape.archived_days (
  day date primary key,
  verified_at timestamptz not null,
  place text not null -- the archive's address, without keys
);

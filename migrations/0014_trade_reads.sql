-- What "booktape backfill" has read of a symbol's trades from REST (docs/adr/0010-backfill.md): everything that REST had of
-- [from_time, until_time), by the venue's time, is stored. Moved in the transaction that stores a page, so that a run that was
-- interrupted goes on behind its last page. A note to ourselves and no part of the recording: no row of it is believed anywhere else.
create table booktape.trade_reads (
  symbol text not null,
  from_time timestamptz not null, -- 1970: from the earliest trade that REST had
  until_time timestamptz not null,
  first_id bigint, -- the first and the last trade that was read; null where there was none
  last_id bigint,
  primary key (symbol, from_time),
  check (from_time <= until_time and (first_id is null) = (last_id is null))
);

-- The book that an epoch began with. Of an epoch without updates its last book stands after the same message as its first one, and the
-- order of the key is by reason then: `epoch_end` came before `initial`, and whoever replayed such an epoch knew its book only when it ended.
create or replace function booktape.first_state(of_epoch uuid) returns booktape.book_state
language sql stable as $$
  select row(s.epoch_id, s.received_time, s.message_seq, s.received_time, s.message_seq, s.update_id, s.event_time_ns)::booktape.book_state
  from booktape.book_snapshots s
  where s.epoch_id = of_epoch
    and s.received_time >= (select e.started_at from booktape.epochs e where e.epoch_id = of_epoch) - booktape.clock_step()
  order by s.message_seq, s.received_time
  limit 1
$$;

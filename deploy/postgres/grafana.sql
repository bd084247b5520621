-- The login with which Grafana reads, for deploy/compose.yaml: run by Postgres once, when its volume is empty. Elsewhere an administrator
-- does the same by hand (SECURITY.md). The limits are those for people: whoever may look at a dashboard may send it any query.
\getenv password BOOKTAPE_GRAFANA_PASSWORD
create role booktape_reader nologin; -- "booktape migrate" gives it its rights
create role grafana login password :'password' in role booktape_reader;
alter role grafana set statement_timeout = '60s';
alter role grafana set default_transaction_read_only = on;
alter role grafana set idle_in_transaction_session_timeout = '60s';

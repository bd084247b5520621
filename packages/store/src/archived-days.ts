import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'
import { instantCell, instantText } from './instant-text.ts'

/** A day that `booktape archive` has published: where, and the SHA-256 of its manifest, as hex. Days are `YYYY-MM-DD` in UTC. */
export type ArchivedDay = Readonly<{ day: string; place: string; manifest: string; verifiedAt: string }>

/** All days that are noted, oldest first. Throws `StoreError`. */
export async function archivedDays(database: Database): Promise<readonly ArchivedDay[]> {
  const { rows } = await orStoreError(() => database.pool.query<ArchivedDay>(DAYS))
  return rows.map((row) => ({ ...row, verifiedAt: instantText(row.verifiedAt) }))
}

/** The day is archived, verified and published. What is noted already stays, with the instant at which it was, unless somebody altered it. Throws `StoreError`. */
export async function noteArchivedDay(
  database: Database,
  { day, place, manifest }: Omit<ArchivedDay, 'verifiedAt'>,
): Promise<void> {
  await orStoreError(() => database.pool.query(NOTE, [day, place, manifest]))
}

/** A day whose archive is being made again does not count as archived meanwhile. Throws `StoreError`. */
export async function forgetArchivedDay(database: Database, day: string): Promise<void> {
  await orStoreError(() => database.pool.query('delete from booktape.archived_days where day = $1', [day]))
}

const DAYS = `select to_char(a.day, 'YYYY-MM-DD') as day, a.place, a.manifest, ${instantCell('a.verified_at')} as "verifiedAt"
from booktape.archived_days a order by a.day`

const NOTE = `insert into booktape.archived_days as a (day, verified_at, place, manifest, checksum)
select n.day, n.verified_at, n.place, n.manifest, booktape.checksum_of(n)
from jsonb_populate_record(null::booktape.archived_days,
  jsonb_build_object('day', $1::date, 'verified_at', now(), 'place', $2::text, 'manifest', $3::text)) n
on conflict (day) do update
set verified_at = excluded.verified_at, place = excluded.place, manifest = excluded.manifest, checksum = excluded.checksum
where (a.place, a.manifest) <> (excluded.place, excluded.manifest) or a.checksum <> booktape.checksum_of(a)`

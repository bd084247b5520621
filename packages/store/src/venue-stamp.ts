import { invariant } from '@booktape/market'
import { sql } from 'kysely'
import type { Database } from './database.ts'
import { orStoreError } from './failure.ts'

export type VenueName = 'gemini' | 'gemini-sandbox' | 'simulated'

/**
 * Simulated and real records never share a database: the first recorder writes the venue's name, every later one asks
 * before it stores anything. `other` names whose database it is.
 *
 * Throws `StoreError`; on `AWAY`, ask again.
 */
export async function claimVenue(
  database: Database,
  name: VenueName,
): Promise<'claimed' | 'same' | Readonly<{ other: string }>> {
  return await orStoreError(async () => {
    const claimed = await database.queries
      .insertInto('booktape.venue')
      .values({ name, checksum: sql`booktape.checksum(array['venue', ${name}::text])` })
      .onConflict((conflict) => conflict.doNothing())
      .returning('name')
      .executeTakeFirst()
    if (claimed !== undefined) return 'claimed'
    const stamp = await database.queries.selectFrom('booktape.venue').select('name').executeTakeFirst()
    invariant(stamp !== undefined, 'a claimed venue stays')
    return stamp.name === name ? 'same' : { other: stamp.name }
  })
}

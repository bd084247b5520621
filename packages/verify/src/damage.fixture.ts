import assert from 'node:assert/strict'
import { type Database, type VerifySpan } from '@booktape/store'
import type { PoolClient } from 'pg'
import type { Finding } from './finding.ts'
import { type VerifyEvent, type VerifyReport, verify, verifyWithin } from './verify.ts'

const EVERYTHING: VerifySpan = { fromTime: null, toTime: null, symbols: null, feed: null, line: null }

export type Verified = Readonly<{ findings: readonly Finding[]; sentences: readonly string[]; report: VerifyReport }>

/** What verifying a database says. */
export async function verified(database: Database, span: Partial<VerifySpan> = {}): Promise<Verified> {
  return await collected(verify(database, { ...EVERYTHING, ...span }))
}

/** What verifying says after some damage was done, which is undone again. */
export async function afterDamage(
  database: Database,
  damage: (client: PoolClient) => Promise<unknown>,
): Promise<Verified> {
  const client = await database.pool.connect()
  try {
    await client.query(`begin; set local timezone = 'UTC'`)
    await damage(client)
    return await collected(verifyWithin(client, EVERYTHING))
  } finally {
    await client.query('rollback')
    client.release()
  }
}

async function collected(events: AsyncGenerator<VerifyEvent>): Promise<Verified> {
  const findings: Finding[] = []
  for await (const event of events) {
    if (event.kind === 'finding') findings.push(event.finding)
    if (event.kind === 'report')
      return { findings, sentences: findings.map(({ sentence }) => sentence), report: event.report }
  }
  assert.fail('a report comes last')
}

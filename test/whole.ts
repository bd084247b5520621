import assert from 'node:assert/strict'
import { openDatabase } from '@booktape/store'
import { type VerifyReport, verify } from '@booktape/verify'

/** Whatever broke while a recording was made, nothing in it is altered, missing, doubled or untold. */
export async function assertWhole(databaseUrl: string): Promise<VerifyReport> {
  const { sentences, report } = await verifyAll(databaseUrl)
  assert.deepEqual(sentences.slice(0, SENTENCES_SHOWN), [])
  return report
}

/** What `booktape verify` says of all of a database. */
export async function verifyAll(
  databaseUrl: string,
): Promise<Readonly<{ sentences: readonly string[]; report: VerifyReport }>> {
  const database = openDatabase(databaseUrl, { applicationName: 'booktape test', max: 1, answerTimeoutMs: null })
  const sentences: string[] = []
  try {
    for await (const event of verify(database, EVERYTHING)) {
      if (event.kind === 'finding') sentences.push(event.finding.sentence)
      if (event.kind === 'report') return { sentences, report: event.report }
    }
    assert.fail('a report comes last')
  } finally {
    await database.close()
  }
}

const EVERYTHING = { fromTime: null, toTime: null, symbols: null, feed: null, line: null }
const SENTENCES_SHOWN = 5

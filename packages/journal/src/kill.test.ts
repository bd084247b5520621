import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { openJournal, readAll, temporaryDirectory } from './journal.fixture.ts'

test('a process killed while it writes keeps every entry it called durable, and invents none', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const announcements of [1, 2, 10, 50, 200]) {
    const announced = await announcedBeforeKill(t, directory, announcements)
    const journal = await openJournal(t, directory)
    assert.ok(journal.lastPosition >= announced, `${announced} was durable, ${journal.lastPosition} is there`)
    const entries = await readAll(journal)
    assert.deepEqual([entries.length, entries.at(-1)?.position], [journal.lastPosition, journal.lastPosition])
    for (const entry of entries) assert.equal(new TextDecoder().decode(entry.payload), `entry ${entry.messageSeq}`)
    await journal.close()
  }
})

/** Runs a process that writes without end, kills it after so many announcements, and returns the last position it announced. */
async function announcedBeforeKill(t: TestContext, directory: string, announcements: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  let count = 0
  let last = ''
  for await (const line of createInterface({ input: child.stdout })) {
    last = line
    count += 1
    if (count === announcements) child.kill('SIGKILL')
  }
  await ended
  assert.equal(child.signalCode, 'SIGKILL')
  return Number(last)
}

const PROGRAM = `
  import { writeSync } from 'node:fs'
  import { Journal } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).href)}
  const journal = await Journal.open(process.argv[1], {
    retentionMs: 0, limitBytes: 1e9, maxSegmentBytes: 5000, syncIntervalMs: 0, onFailure: console.error,
  })
  journal.onSynced((entries) => writeSync(1, entries.at(-1).position + '\\n'))
  for (let messageSeq = 0; ; messageSeq += 1) {
    const payload = new TextEncoder().encode('entry ' + messageSeq)
    journal.append({ kind: 0, wallNs: 0n, monoNs: 0n, connection: 0, messageSeq, payload })
    if (messageSeq % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
`

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Journal } from '@booktape/journal'
import { systemClock } from '@booktape/runtime'
import { newCorridorState } from '@booktape/session'
import { Corridor } from './corridor.ts'

test('a journal that is full gets a checkpoint: it begins no segment any more, and can let go only up to one', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'booktape-corridor-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const journal = await Journal.open(directory, { retentionMs: 0, limitBytes: 2 ** 30, onFailure: assert.ifError })
  t.after(() => journal.close())
  const clock = systemClock()
  const corridor = new Corridor({
    journal,
    clock,
    live: { position: 0, state: newCorridorState(), blankFrom: null },
    scribe: { offer: () => undefined },
    observer: { observe: () => undefined, journalSynced: () => undefined },
    obey: () => undefined,
    onCheckpointFailure: assert.ifError,
  })
  const write = journal.writeCheckpoint.bind(journal)
  const writing: Promise<void>[] = []
  journal.writeCheckpoint = async (position, bytes) => {
    const written = write(position, bytes)
    writing.push(written)
    await written
  }
  const at = { wallNs: clock.wallNs(), monoNs: clock.monoNs() }
  corridor.note({ kind: 'tick', at })
  await journal.sync()
  await Promise.all(writing)
  assert.equal((await journal.newestCheckpoint(2))?.position, 0) // the first segment began with it
  corridor.note({ kind: 'suspended', at })
  await journal.sync()
  await Promise.all(writing)
  assert.equal((await journal.newestCheckpoint(2))?.position, 2)
})

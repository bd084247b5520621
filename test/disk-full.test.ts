import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type EmbeddedPostgres, startEmbedded } from '@booktape/embedded'
import { migrate } from '@booktape/store'
import { Client } from 'pg'
import { canMount, smallDisk } from './small-disk.ts'
import { startRecorder } from './spawned-command.ts'
import { assertStoredTruth } from './stored-truth.ts'
import { environment, SYMBOLS, startExchange } from './surroundings.ts'

// A real Postgres whose disk is full to the last block, the disk of its tables or that of its log, while a recorder writes.
// Postgres refuses rows (53100) for the first and ends every session, itself included, for the second.

const skip = canMount() ? false : 'nothing may be mounted here'
/** Room for a new cluster (about 40 MiB) and some minutes of rows. */
const TABLES_MIB = 192
/** Room for some segments of 16 MiB. */
const LOG_MIB = 96
const MESSAGES = 2_000

test('the disk of the tables is full: rows wait in the journal, and are stored when there is room', {
  skip,
}, async (t) => {
  const { postgres, disk } = await clusterOn(t, TABLES_MIB, 'tables')
  const { command, isRecording, recovered } = await recorded(t, postgres)
  disk.fill()
  await command.line(/"class":"disk_full","reason":"Postgres: could not extend file .* \(53100\)"/)
  await isRecording()
  disk.makeRoom()
  await recovered()
})

test('the disk of the log is full: Postgres gives up and comes back, and nothing is lost or there twice', {
  skip,
}, async (t) => {
  const { postgres, disk, words } = await clusterOn(t, LOG_MIB, 'log')
  const { command, isRecording, recovered } = await recorded(t, postgres)
  disk.fill()
  await assert.rejects(async () => {
    // Each begins another segment, until one cannot be made.
    for (;;) await query(postgres, 'select pg_switch_wal(), pg_logical_emit_message(true, $1, $2)', ['test', 'x'])
  })
  await command.line(/"msg":"the database takes no rows now/)
  assert.match(words(), /PANIC: {2}could not .*: No space left on device/)
  await isRecording()
  disk.makeRoom()
  await recovered()
})

/** A recorder with rows in the cluster. */
async function recorded(t: TestContext, postgres: EmbeddedPostgres) {
  await migrate(postgres.url)
  const exchange = await startExchange(t)
  const { command, get } = await startRecorder(t, { ...environment(t, exchange), DATABASE_URL: postgres.url })
  /** Null while the database is away. */
  const messages = async (): Promise<number | null> => {
    const counted = query<{ count: number }>(postgres, 'select count(*)::int as count from booktape.book_messages')
    return await counted.then(
      ([row]) => row?.count ?? 0,
      () => null,
    )
  }
  const journalBytes = async (): Promise<number> =>
    Number(/^booktape_journal_bytes (\d+)$/m.exec((await get('/metrics')).body)?.[1])
  await command.until('rows', async () => ((await messages()) ?? 0) > 0)
  return {
    command,
    /** Without the database: alive, every book live, and everything written down. */
    isRecording: async (): Promise<void> => {
      assert.equal((await get('/livez')).status, 200)
      const live = (await get('/metrics')).body.match(/^booktape_book_live\{.*\} 1$/gm) ?? []
      assert.equal(live.length, SYMBOLS.length * 2)
      const before = await journalBytes()
      await command.until('a longer journal', async () => (await journalBytes()) > before)
    },
    /** With the database: everything is stored, once, and nothing is missing. */
    recovered: async (): Promise<void> => {
      let before: number | null = null
      await command.until('the database', async () => (before = await messages()) !== null)
      await command.until('many rows', async () => ((await messages()) ?? 0) > (before ?? 0) + MESSAGES)
      await command.until('readiness', async () => (await get('/readyz')).status === 200)
      const { code, stderr } = await command.stop()
      assert.deepEqual([code, stderr], [0, ''])
      await connected(postgres, async (client) => {
        assert.ok((await assertStoredTruth(client, exchange.exchange)) >= MESSAGES)
      })
      const gaps = await query(postgres, `select distinct concat_ws(' ', cause, state) as gap from market.gaps`)
      assert.deepEqual(gaps, [{ gap: 'stopped open' }])
      const epochs = await query(postgres, 'select count(*)::int as count from market.epochs')
      assert.deepEqual(epochs, [{ count: SYMBOLS.length * 2 }])
    },
  }
}

/** A cluster with one of its two parts on a small disk, the other on this machine's. It is started again when it ends. */
async function clusterOn(t: TestContext, mebibytes: number, part: 'tables' | 'log') {
  const disk = smallDisk(mebibytes)
  const other = mkdtempSync(join(tmpdir(), 'booktape-disk-full-'))
  const directory = join(part === 'tables' ? disk.path : other, 'postgres')
  let postgres: EmbeddedPostgres | null = null
  t.after(async () => {
    disk.makeRoom()
    await postgres?.stop()
    disk.unmount()
    rmSync(other, { recursive: true, force: true })
  })
  // Made whole first: the log is moved while nobody runs.
  postgres = await startEmbedded({ directory, keepAlive: false })
  await postgres.stop()
  const log = join(directory, 'cluster', 'pg_wal')
  const moved = join(part === 'tables' ? other : disk.path, 'pg_wal')
  cpSync(log, moved, { recursive: true })
  renameSync(log, `${log}.before`)
  rmSync(`${log}.before`, { recursive: true })
  symlinkSync(moved, log)
  postgres = await startEmbedded({ directory })
  const words = (): string => readFileSync(join(directory, 'postgres.log'), 'utf8')
  return { postgres, disk, words }
}

async function query<Row extends object>(
  postgres: EmbeddedPostgres,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return await connected(postgres, async (client) => (await client.query<Row>(text, values)).rows)
}

async function connected<T>(postgres: EmbeddedPostgres, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: postgres.url })
  client.on('error', () => undefined) // the question itself fails too
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}

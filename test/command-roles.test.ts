import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TemporaryDatabase } from '@booktape/testkit'
import { Client } from 'pg'
import { documentedDatabase } from './documented-recording.ts'
import { runCommand } from './spawned-command.ts'

const ROLES = readFileSync(new URL('../deploy/postgres/roles.sql', import.meta.url), 'utf8')
const SPAN = ['btcusd', '--from', '2026-03-01T10:00Z', '--to', '2026-03-01T10:05Z']

describe('commands with the rights of deploy/postgres/roles.sql and no others', () => {
  let database: TemporaryDatabase
  let admin: Client
  let folder = ''
  const logins: string[] = []
  const urls: Record<string, string> = {}

  before(async () => {
    database = await documentedDatabase()
    folder = await mkdtemp(join(tmpdir(), 'booktape-test-'))
    admin = new Client({ connectionString: database.url })
    await admin.connect()
    await admin.query(ROLES)
    await admin.query(`select booktape.make_partitions('2026-01-01', 1)`) // something to drop
    for (const role of ['reader', 'archiver', 'migrator']) urls[role] = await signIn(role)
  })
  after(async () => {
    for (const login of logins) await admin.query(`drop role ${login}`)
    await admin.end()
    await database.close()
    await rm(folder, { recursive: true })
  })

  /** A login of its own that is a member of the role: roles are the whole server's, and their passwords other tests'. */
  async function signIn(role: string): Promise<string> {
    const [login, password] = [`${role}_${randomBytes(6).toString('hex')}`, randomBytes(12).toString('hex')]
    await admin.query(`create role ${login} login in role booktape_${role} password '${password}'`)
    logins.push(login)
    const url = new URL(database.url)
    url.username = login
    url.password = password
    return url.href
  }

  /** Commands may use what those before them left. */
  for (const [role, args, code, says] of [
    ['reader', ['archive', 'tape'], 1, /permission denied for (table|view|function)/],
    ['archiver', ['archive', 'tape'], 0, /: 3 parts published \(/],
    ['archiver', ['archive', 'tape'], 0, /: 0 parts published \(.*, 3 were there; whole from 2026-03-01 to 2026-03-01/],
    ['archiver', ['archive', 'tape', '--again'], 0, /: 3 parts published \(/],
    ['reader', ['export', ...SPAN, '--format', 'csv', '--out', 'files'], 0, /^btcusd +2026-03-01 +v1 +3 files/m],
    ['reader', ['replay', ...SPAN], 0, /"kind":"book"/],
    ['reader', ['verify'], 1, / findings: /], // the documented recording has no checksums
    ['reader', ['verify', '--archive', 'tape'], 0, /^nothing is altered, missing or doubled$/m],
    ['archiver', ['retention', '--keep', '90d'], 1, /must be owner of table/],
    ['migrator', ['retention', '--keep', '90d'], 0, /^2026-01-01 .* dropped$/m],
  ] as const) {
    test(`booktape ${args.join(' ')}, as booktape_${role}, ends with ${code}`, async (t) => {
      const within = args.map((arg) => (arg === 'tape' || arg === 'files' ? join(folder, arg) : arg))
      const ended = await runCommand(t, within, { DATABASE_URL: urls[role] ?? '' })
      assert.match(`${ended.stdout}${ended.stderr}`, says)
      assert.equal(ended.code, code)
    })
  }

  for (const statement of [
    'update booktape.trades set price = 1',
    'delete from booktape.book_messages',
    'delete from booktape.tallies',
    'update booktape.archived_days set day = day',
    'insert into booktape.gaps select * from booktape.gaps',
    'drop table booktape.archived_days',
    'truncate booktape.archived_days',
    "select booktape.make_partitions('2026-01-01', 1)",
    "select booktape.drop_emptied('2026-01-01')",
    'create table booktape.mine (id bigint)',
    'set role booktape_migrator',
  ]) {
    test(`the archiver may not ${statement}`, async () => {
      const client = new Client({ connectionString: urls['archiver'] ?? '' })
      await client.connect()
      try {
        await assert.rejects(client.query(statement), { code: '42501' })
      } finally {
        await client.end()
      }
    })
  }
})

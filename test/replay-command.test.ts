import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TemporaryDatabase } from '@booktape/testkit'
import { WebSocket } from 'ws'
import { archiveDocumented, documentedDatabase } from './documented-recording.ts'
import { runCommand, SpawnedCommand } from './spawned-command.ts'

const PAGE = readFileSync(new URL('../docs/replay.md', import.meta.url), 'utf8')
/** Each command that prints, and what it prints. */
const EXAMPLES = [...PAGE.matchAll(/```sh\nbooktape (.*)\n```\n\n```text\n([\s\S]*?)```/g)].map(
  ([, command = '', output = '']) => ({ command, output }),
)
const SPAN = ['btcusd', '--from', '2026-03-01T10:00Z', '--to', '2026-03-01T10:05Z']

describe('booktape replay, of the recording that docs/replay.md names', () => {
  let database: TemporaryDatabase
  let env: Record<string, string>
  let folder = ''
  before(async () => {
    database = await documentedDatabase()
    env = { DATABASE_URL: database.url }
    folder = await mkdtemp(join(tmpdir(), 'booktape-test-'))
    await archiveDocumented(database, folder)
  })
  after(async () => {
    await database.close()
    await rm(folder, { recursive: true })
  })

  /** What a command is told to read from the database, or from the archive and without a database. */
  const sources = [
    ['the database', () => [], () => env],
    ['the archive', () => ['--archive', folder], () => ({})],
  ] as const

  test('the page has two examples that print', () => assert.equal(EXAMPLES.length, 2))

  for (const [source, told, environment] of sources) {
    for (const { command, output } of EXAMPLES) {
      test(`prints what the page shows, from ${source}: ${command}`, async (t) => {
        const { code, stdout, stderr } = await runCommand(t, [...command.split(' '), ...told()], environment())
        assert.equal(stderr, '')
        assert.equal(stdout.replaceAll(/"epoch_id":"[0-9a-f-]{36}"/g, '"epoch_id":"EPOCH"'), output)
        assert.equal(code, 0)
      })
    }

    test(`--serve from ${source}: a client of v1 sees the book, what changed it, the cut, and the next book`, async (t) => {
      const args = ['replay', ...SPAN, '--serve', '0', '--pace', 'full', ...told()]
      const command = new SpawnedCommand(t, args, environment())
      const line = await command.line(/^Replaying v1 btcusd at /)
      const base = /BOOKTAPE_GEMINI_V1_URL=(\S+)/.exec(line)?.[1] ?? ''
      const rest = /BOOKTAPE_GEMINI_REST_URL=([^\s)]+)/.exec(line)?.[1] ?? ''
      const details = (await (await fetch(`${rest}/v1/symbols/details/btcusd`)).json()) as Record<string, unknown>
      assert.deepEqual([details['base_currency'], details['status']], ['BTC', 'open'])
      const first = await listen(`${base}/v1/marketdata/BTCUSD`)
      assert.deepEqual([first.eventIds, first.code], [[1000, 1001, 1002, 1003, 1004, 1005, 1006], 1001])
      const second = await listen(`${base}/v1/marketdata/BTCUSD`)
      assert.deepEqual([second.eventIds, second.code], [[2000, 2001, 2002, 2003], 1000])
      const { code, stderr } = await command.end()
      assert.match(stderr, /^all 17 events have been replayed$/m)
      assert.equal(code, 0)
    })
  }

  test('--no-wait begins with the first client, and a signal ends it', async (t) => {
    const command = new SpawnedCommand(
      t,
      ['replay', ...SPAN, '--serve', '0', '--no-wait', '--stay', '--pace', 'full'],
      env,
    )
    const url = /WS_URL=(\S+)/.exec(await command.line(/^Replaying /))?.[1] ?? ''
    const { eventIds, code } = await listen(`${url}/v1/marketdata/btcusd`)
    assert.deepEqual([eventIds.length, code], [7, 1001]) // cut by the gap; what follows is for nobody
    await command.until('the replay is over', () => command.stderr.includes('have been replayed'))
    assert.equal((await command.stop()).code, 0)
  })

  for (const [args, code, stderr] of [
    [
      ['replay', '--pace', 'slow', '--clock', 'wall', '--only', 'all', ...SPAN],
      78,
      '--clock is "wall"; the clocks are received and exchange.\n' +
        '--pace is "slow": write recorded, full, or a number such as 0.5 or 60.\n' +
        '--only is "all": write books or trades, or leave it out for both.\n',
    ],
    [['replay', '--from', '1h'], 78, 'No symbol is given: name some, such as btcusd ethusd.\n'],
    [
      ['replay', 'ethusd', '--serve', '0', ...SPAN.slice(1)],
      1,
      'No book of ethusd is known in this span: look with booktape status what is recorded, or name another span.\n',
    ],
  ] as const) {
    test(`booktape ${args.join(' ')} ends with ${code} and says why`, async (t) => {
      const ended = await runCommand(t, args, env)
      assert.deepEqual([ended.code, ended.stderr, ended.stdout], [code, stderr, ''])
    })
  }
})

/** The event ids that a connection is told, until it is closed. */
async function listen(url: string): Promise<{ eventIds: number[]; code: number }> {
  const socket = new WebSocket(url)
  const eventIds: number[] = []
  socket.on('message', (frame: Buffer) => {
    const { eventId } = JSON.parse(frame.toString()) as { eventId?: number }
    if (eventId !== undefined) eventIds.push(eventId)
  })
  const [code] = (await once(socket, 'close')) as [number]
  return { eventIds, code }
}

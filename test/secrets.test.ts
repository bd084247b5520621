import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRecorder } from './spawned-command.ts'
import { environment, startDatabase, startExchange } from './surroundings.ts'

/** In a password, where nothing may ever show it. */
const CANARY = 'canary-7d21c0'

test('a password stands in no line, page or metric of a recorder at its most talkative, whatever the database answers', async (t) => {
  const exchange = await startExchange(t)
  const database = await startDatabase(t)
  const wrong = new URL(database.url)
  wrong.password = CANARY
  const { command, get } = await startRecorder(t, {
    ...environment(t, exchange),
    BOOKTAPE_LOG_LEVEL: 'trace',
    BOOKTAPE_STATUS_PAGE: 'true',
    DATABASE_URL: wrong.href,
  })
  await command.line(/password authentication failed/)
  await get('/?overview') // from now on the page asks the database itself
  const pages = await Promise.all(
    ['/', '/?overview', '/?coverage', '/metrics', '/readyz', '/livez', '/nothing'].map((path) => get(path)),
  )
  const { stdout, stderr } = await command.stop()
  for (const text of [stdout, stderr, ...pages.map((page) => page.body)]) assert.ok(!text.includes(CANARY), text)
  assert.ok(stdout.includes('28P01'), 'the reason is told all the same')
})

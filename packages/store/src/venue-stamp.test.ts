import assert from 'node:assert/strict'
import { test } from 'node:test'
import { claimVenue } from './venue-stamp.ts'
import { openStore } from './writer.fixture.ts'

test('the first recorder claims the database, the same venue may follow, another may not', async (t) => {
  const { database } = await openStore(t)
  assert.equal(await claimVenue(database, 'simulated'), 'claimed')
  assert.equal(await claimVenue(database, 'simulated'), 'same')
  assert.deepEqual(await claimVenue(database, 'gemini'), { other: 'simulated' })
  assert.equal(await claimVenue(database, 'simulated'), 'same')
})

test('of two that claim at once, one wins and the other sees it', async (t) => {
  const { database } = await openStore(t)
  const answers = await Promise.all([claimVenue(database, 'gemini'), claimVenue(database, 'simulated')])
  const [winner, loser] = answers[0] === 'claimed' ? answers : [answers[1], answers[0]]
  assert.equal(winner, 'claimed')
  assert.deepEqual(loser, { other: answers[0] === 'claimed' ? 'gemini' : 'simulated' })
})

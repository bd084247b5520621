import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeeds, type SeedEnd } from './seed-pool.ts'

const SCRIPT = new URL('seed-pool.fixture.ts', import.meta.url)
const LIMIT_S = 10

test('a seed that never ends, and one that takes its process with it, are told by their numbers, and the others run', async () => {
  const seeds = [1, 2, 3, 4, 5]
  const ends: string[] = []
  const order = () => {
    const seed = seeds.shift()
    return seed === undefined ? null : { seed, isTwice: false }
  }
  const tell = (end: SeedEnd): void => void ends.push(`${end.seed} ${'failure' in end ? end.failure : 'reported'}`)
  await runSeeds(SCRIPT, LIMIT_S, order, tell)
  assert.deepEqual(ends.sort(), [
    '1 reported',
    '2 crawls: it was given up after 10 s a run',
    '3 its process ended with 7',
    '4 reported',
    '5 reported',
  ])
})

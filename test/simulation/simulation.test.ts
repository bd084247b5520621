import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keptSeeds } from './kept-seeds.ts'
import { runSeed } from './run-seed.ts'

/** The short form: many more by `npm run simulate -- --seeds 2000`. */
const SEEDS = 20
const FIRST_SEED = 1
const SEEDS_RUN_TWICE = [1, 2, 3] as const

test(`no promise is broken in ${SEEDS} simulated worlds`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) await assertHolds(seed)
})

test('no promise is broken by a seed that once broke one', async () => {
  for (const seed of keptSeeds()) await assertHolds(seed)
})

test('the same seed gives the same events', async () => {
  for (const seed of SEEDS_RUN_TWICE) {
    const [first, second] = [await runSeed(seed), await runSeed(seed)]
    assert.deepEqual(first.story, second.story)
    assert.equal(first.hash, second.hash)
  }
})

async function assertHolds(seed: number): Promise<void> {
  const { violations } = await runSeed(seed)
  assert.deepEqual(
    violations.slice(0, 3).map(({ text }) => text),
    [],
    `npm run simulate -- --seed ${seed} tells the story`,
  )
}

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts'

/** The seed that found a bug last time comes first; where the worlds have changed since, one of the first so many must. */
const SEEDS = 40
/** Each in a process of its own: as many as leave a processor to the rest of the suite. */
const AT_ONCE = 2
const HUNT = fileURLToPath(new URL('hunt-bug.ts', import.meta.url))
const run = promisify(execFile)

test(`the simulation finds each of ${PLANTED_BUGS.length} planted bugs`, async () => {
  const waiting = [...PLANTED_BUGS]
  const missed: string[] = []
  const hunt = async (): Promise<void> => {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const found = await search(bug)
      if (!/^(seed \d+|it crashed): ./.test(found)) missed.push(`${bug.name}: ${found}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, hunt))
  assert.deepEqual(missed, [])
})

test('without a planted bug the hunt finds nothing', async () => {
  const { stdout } = await run(process.execPath, [HUNT, 'none', '1', '2', '3'])
  assert.equal(stdout, 'not found\n')
})

async function search(bug: PlantedBug): Promise<string> {
  const seeds = [bug.foundBy, ...Array.from({ length: SEEDS }, (_, i) => i + 1)]
  const { stdout } = await run(process.execPath, [HUNT, bug.name, ...seeds.map(String)])
  return stdout.trimEnd()
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stagesOf, stagesText } from './stages.ts'

const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 0 })

test('time belongs to the innermost frame that is ours or a dependency’s; idling and starting are left out', () => {
  const stages = stagesOf({
    nodes: [
      { id: 1, callFrame: frame('(root)', ''), children: [2, 4, 6, 7, 8] },
      { id: 2, callFrame: frame('take', 'file:///b/services/recorder/src/corridor.ts'), children: [3, 5] },
      { id: 3, callFrame: frame('crc32', 'node:zlib') },
      { id: 4, callFrame: frame('(idle)', '') },
      { id: 5, callFrame: frame('onFrame', 'file:///b/packages/session/src/ws-session.ts') },
      { id: 6, callFrame: frame('(garbage collector)', '') },
      { id: 7, callFrame: frame('link', 'node:internal/modules/esm/module_job') },
      { id: 8, callFrame: frame('query', 'file:///b/node_modules/.pnpm/pg@8/node_modules/pg/lib/client.js') },
    ],
    samples: [3, 4, 5, 6, 7, 8, 2],
    timeDeltas: [2_000, 90_000, 3_000, 1_000, 70_000, 1_000, 3_000],
  })
  assert.equal(stages.busyMs, 10)
  assert.deepEqual(stages.stages, [
    { name: 'services/recorder', share: 0.5 },
    { name: 'packages/session', share: 0.3 },
    { name: 'garbage collector', share: 0.1 },
    { name: 'pg', share: 0.1 },
  ])
  assert.deepEqual(stages.functions[0], { name: 'onFrame (session/src/ws-session.ts)', share: 0.3 })
  assert.match(stagesText(stages), /^ {2}0\.01 s of .*\n {3}50\.0 % {2}services\/recorder\n/)
})

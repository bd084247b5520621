import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flameSvg } from './flame.ts'
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

test('a picture has who called above who was called, as wide as they took, without Node’s own, idling and starting', () => {
  const svg = flameSvg(
    {
      nodes: [
        { id: 1, callFrame: frame('(root)', ''), children: [2, 6, 7] },
        { id: 2, callFrame: frame('emit', 'node:events'), children: [3] },
        { id: 3, callFrame: frame('take<T>', 'file:///b/services/recorder/src/corridor.ts'), children: [4, 5] },
        { id: 4, callFrame: frame('crc32', 'node:zlib') },
        { id: 5, callFrame: frame('onFrame', 'file:///b/packages/session/src/ws-session.ts') },
        { id: 6, callFrame: frame('(idle)', '') },
        { id: 7, callFrame: frame('link', 'node:internal/modules/esm/module_job') },
      ],
      samples: [3, 4, 5, 6, 7, 5],
      timeDeltas: [100_000, 100_000, 100_000, 900_000, 900_000, 100_000],
    },
    'a & b',
  )
  const boxes = [...svg.matchAll(/<title>(.*?)<\/title><rect x="(.*?)" y="(.*?)" width="(.*?)"/g)]
  assert.deepEqual(
    boxes.map(([, ...box]) => box),
    [
      ['take&lt;T&gt; (services/recorder) 100.0 %', '0.0', '16', '1199.6'],
      ['onFrame (packages/session) 50.0 %', '0.0', '32', '599.6'],
    ],
  )
  assert.match(svg, /a &amp; b: 0\.40 s/)
})

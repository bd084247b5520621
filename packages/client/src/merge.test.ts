import assert from 'node:assert/strict'
import { test } from 'node:test'
import { merge } from './merge.ts'

type Event = readonly [instant: bigint, name: string]

async function* stream(...pages: readonly (readonly Event[])[]): AsyncGenerator<readonly Event[]> {
  for (const page of pages) yield page
}

async function merged(...streams: readonly AsyncGenerator<readonly Event[]>[]): Promise<string> {
  const names: string[] = []
  for await (const page of merge(streams, ([instant]) => instant)) names.push(...page.map(([, name]) => name))
  return names.join(' ')
}

for (const [what, streams, expected] of [
  ['no stream at all', [], ''],
  ['streams without events', [[], [[]]], ''],
  [
    'two streams by their instants',
    [
      [
        [
          [1n, 'a'],
          [4n, 'd'],
        ],
      ],
      [
        [
          [2n, 'b'],
          [3n, 'c'],
        ],
      ],
    ],
    'a b c d',
  ],
  [
    'equal instants in the order of the streams',
    [
      [
        [
          [1n, 'a'],
          [2n, 'c'],
        ],
      ],
      [
        [
          [1n, 'b'],
          [2n, 'd'],
        ],
      ],
    ],
    'a b c d',
  ],
  [
    'an instant that goes back stays in its place',
    [
      [
        [
          [5n, 'a'],
          [1n, 'b'],
          [6n, 'd'],
        ],
      ],
      [[[5n, 'c']]],
    ],
    'a b c d',
  ],
  [
    'empty pages between full ones',
    [
      [[[1n, 'a']], [], [[3n, 'c']]],
      [[], [[2n, 'b']]],
    ],
    'a b c',
  ],
] as const satisfies readonly (readonly [string, readonly (readonly (readonly Event[])[])[], string])[]) {
  test(what, async () => assert.equal(await merged(...streams.map((pages) => stream(...pages))), expected))
}

test('whoever stops reading ends every stream', async () => {
  let ended = 0
  async function* endless(): AsyncGenerator<readonly Event[]> {
    try {
      for (let i = 0n; ; i++) yield [[i, 'x']]
    } finally {
      ended++
    }
  }
  for await (const _ of merge([endless(), endless()], ([instant]) => instant)) break
  assert.equal(ended, 2)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '@booktape/runtime'
import { Command } from 'commander'
import { addSpanOptions, readInstant, readSpan, requireBounds, type SpanOptions } from './span.ts'

const NOW_NS = 1_790_732_600_123_456_789n // 2026-09-30T01:43:20.123456789Z

for (const [text, expected] of [
  ['2026-09-29', 1_790_640_000_000_000_000n],
  ['2026-09-29T23:43', 1_790_725_380_000_000_000n],
  ['2026-09-29 23:43:20', 1_790_725_400_000_000_000n],
  ['2026-09-29T23:43:20.123456789Z', 1_790_725_400_123_456_789n],
  ['2026-09-29T23:43:20.5+02:00', 1_790_718_200_500_000_000n],
  ['2024-02-29', 1_709_164_800_000_000_000n],
  ['1790732600123456789', 1_790_732_600_123_456_789n],
  ['now', NOW_NS],
  ['90m', NOW_NS - 5_400_000_000_000n],
  ['7d', NOW_NS - 604_800_000_000_000n],
  ['2026-02-29', null],
  ['2026-13-01', null],
  ['2026-03-01T25:00', null],
  ['2026-03-01T10:00:00.1234567890Z', null],
  ['2026-3-1', null],
  ['yesterday', null],
  ['', null],
  ['-1h', null],
] as const) {
  test(`${JSON.stringify(text)} is ${expected === null ? 'no instant' : `${expected} ns`}`, () => {
    assert.equal(readInstant(text, NOW_NS), expected)
  })
}

test('symbols are given one by one or in a list, in any case, each once', () => {
  const span = readSpan(['BTCUSD'], { symbols: 'ethusd,btcusd', from: '1h', feed: 'ws' }, NOW_NS)
  assert.deepEqual(span, {
    symbols: ['btcusd', 'ethusd'],
    fromNs: NOW_NS - 3_600_000_000_000n,
    toNs: NOW_NS,
    feed: 'ws',
  })
  assert.deepEqual(requireBounds(span), span)
})

test('the command line gives what is read', () => {
  const command = addSpanOptions(new Command()).exitOverride()
  command.parse(['btcusd', 'ethusd', '--from', '2026-03-01', '--to', 'now', '--feed', 'v1'], { from: 'user' })
  const { symbols, toNs } = readSpan(command.args, command.opts<SpanOptions>(), NOW_NS)
  assert.deepEqual({ symbols, toNs }, { symbols: ['btcusd', 'ethusd'], toNs: NOW_NS })
})

test('every problem is named at once', () => {
  assert.deepEqual(
    problems(() => readSpan(['btc usd'], { symbols: '', from: 'x', to: 'y'.repeat(50), feed: 'v3' }, NOW_NS)),
    [
      '"btc usd" is no symbol: symbols look like btcusd.',
      '"" is no symbol: symbols look like btcusd.',
      '--from is "x", which is no time: write 2026-03-01, 2026-03-01T10:00:00Z, now, or 24h for that long ago.',
      `--to is "${'y'.repeat(40)}…", which is no time: write 2026-03-01, 2026-03-01T10:00:00Z, now, or 24h for that long ago.`,
      '--feed is "v3"; the feeds are v1 and ws.',
    ],
  )
})

for (const [options, sentence] of [
  [{ from: '2026-03-02', to: '2026-03-01' }, '--from 2026-03-02 is not before --to 2026-03-01.'],
  [{ from: '2027-01-01' }, '--from 2027-01-01 is not before --to now.'],
] as const satisfies readonly (readonly [SpanOptions, string])[]) {
  test(sentence, () =>
    assert.deepEqual(
      problems(() => readSpan(['btcusd'], options, NOW_NS)),
      [sentence],
    ),
  )
}

test('a command that needs symbols and a beginning says so', () => {
  assert.deepEqual(
    problems(() => requireBounds(readSpan([], {}, NOW_NS))),
    [
      'No symbol is given: name some, such as btcusd ethusd.',
      '--from is not given: say when to begin, such as --from 2026-03-01 or --from 24h.',
    ],
  )
})

function problems(deed: () => unknown): readonly string[] {
  try {
    deed()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PrivateRefusal, PrivateRemedy } from '@booktape/gemini'
import { readDecimal } from '@booktape/market'
import { fakeClock } from '@booktape/testkit'
import type { QuoteAsk } from './config.ts'
import type { AccountEvent } from './event.ts'
import type { PrivateReply } from './private-client.ts'
import { keepQuoting, OPERATOR_PAUSE_MS, REFUSED_PAUSE_MS } from './quoter.ts'

const asks = ['aaausd', 'bbbusd', 'cccusd'].map((symbol): QuoteAsk => {
  const totalSpend = readDecimal('1')
  assert.ok(totalSpend !== null)
  return { symbol, side: 'buy', totalSpend }
})

/** Three quotes in three seconds: one a second. `answer` says what comes of each, and how long it took. */
function start(
  answer: (symbol: string, asked: number) => Partial<{ remedy: PrivateRemedy; failed: true; tookMs: number }>,
) {
  const clock = fakeClock()
  const startNs = clock.monoNs()
  const asked: string[] = []
  const events: AccountEvent[] = []
  const stopping = new AbortController()
  const givingUp = new AbortController()
  let isHeld = false
  const post = async (_: unknown, { symbol = '' }: Readonly<Record<string, string>>): Promise<PrivateReply> => {
    asked.push(`${symbol.slice(0, 3)} at ${Number((clock.monoNs() - startNs) / 1_000_000n)}`)
    const { remedy, failed, tookMs } = answer(symbol, asked.length)
    if (tookMs !== undefined) await clock.sleep(tookMs)
    const times = { sentNs: 1n, receivedNs: 2n }
    if (failed === true) return { ...times, kind: 'failed', reason: 'no reply' }
    if (remedy === undefined) return { ...times, kind: 'answered', body: '{}' }
    const refusal: PrivateRefusal = { status: 400, reason: null, remedy, sentence: 'refused' }
    return { ...times, kind: 'refused', refusal }
  }
  const running = keepQuoting(
    {
      asks,
      intervalMs: 3_000,
      client: { post },
      clock,
      note: (event) => void events.push(event),
      onReply: () => undefined,
      isHeld: () => isHeld,
      givingUp: givingUp.signal,
    },
    stopping.signal,
  )
  return { clock, asked, events, stopping, givingUp, running, hold: (held: boolean) => (isHeld = held) }
}

test('each is asked for once an interval, evenly, and what came is written down', async () => {
  const { clock, asked, events, stopping, running } = start(() => ({}))
  await clock.advance(5_500)
  assert.deepEqual(asked, ['aaa at 0', 'bbb at 1000', 'ccc at 2000', 'aaa at 3000', 'bbb at 4000', 'ccc at 5000'])
  assert.deepEqual([...new Set(events.map(({ kind }) => kind))], ['quote_answered'])
  stopping.abort()
  await running
})

test('replies slower than the pace leave turns out and none of the quotes', async () => {
  const { clock, asked, stopping, running } = start(() => ({ tookMs: 1_500 }))
  await clock.advance(9_900)
  assert.deepEqual(asked, ['aaa at 0', 'bbb at 2000', 'ccc at 4000', 'aaa at 6000', 'bbb at 8000'])
  stopping.abort()
  await clock.advance(5_000)
  await running
})

test('a quote that will never work is let be for ten minutes; the others go on', async () => {
  const { clock, asked, events, stopping, running } = start((symbol) =>
    symbol === 'bbbusd' ? { remedy: 'refused' } : {},
  )
  await clock.advance(REFUSED_PAUSE_MS)
  assert.equal(asked.filter((each) => each.startsWith('bbb')).length, 1)
  assert.equal(asked.filter((each) => each.startsWith('ccc')).length, 200)
  assert.equal(events.filter(({ kind }) => kind === 'quote_refused').length, 1)
  await clock.advance(3_000)
  assert.equal(asked.filter((each) => each.startsWith('bbb')).length, 2)
  stopping.abort()
  await running
})

test('what only an operator can mend lets all be for a minute', async () => {
  const { clock, asked, stopping, running } = start((_, count) => (count === 1 ? { remedy: 'operator' } : {}))
  await clock.advance(OPERATOR_PAUSE_MS - 1)
  assert.deepEqual(asked, ['aaa at 0'])
  await clock.advance(2_000)
  assert.deepEqual(asked.slice(1, 3), ['aaa at 60000', 'bbb at 61000'])
  stopping.abort()
  await running
})

test('a venue that fails is asked again at the next turn, and each failure is written down', async () => {
  const { clock, asked, events, stopping, running } = start(() => ({ failed: true }))
  await clock.advance(2_500)
  assert.equal(asked.length, 3)
  assert.deepEqual(
    events.map((event) => (event.kind === 'quote_refused' ? [event.status, event.explanation] : null)),
    [1, 2, 3].map(() => [null, 'no reply']),
  )
  stopping.abort()
  await running
})

test('while nothing can be written down, nothing is asked', async () => {
  const { clock, asked, stopping, running, hold } = start(() => ({}))
  await clock.advance(500)
  hold(true)
  await clock.advance(3_000)
  assert.deepEqual(asked, ['aaa at 0'])
  hold(false)
  await clock.advance(1_000)
  assert.equal(asked.length, 2)
  stopping.abort()
  await running
})

test('a request that is given up at a stop is no event; one that still gets its reply is', async () => {
  const late = start(() => ({ tookMs: 1_000 }))
  await late.clock.advance(10)
  late.stopping.abort()
  await late.clock.advance(1_000)
  await late.running
  assert.equal(late.events.length, 1)

  const given = start(() => ({ tookMs: 1_000, failed: true }))
  await given.clock.advance(10)
  given.stopping.abort()
  given.givingUp.abort()
  await given.clock.advance(1_000)
  await given.running
  assert.deepEqual(given.events, [])
})

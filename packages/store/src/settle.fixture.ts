import { type BookMessage, deriveId } from '@booktape/market'
import fc from 'fast-check'
import { AT, bookMessage, decimal } from './writer.fixture.ts'

const HOUR_NS = 3_600_000_000_000n

/** What the wire can bring, and what columns can hold beyond it: 18 digits either side of the point, and values no bigint has at one scale. */
const value = fc.oneof(
  fc.integer({ min: 0, max: 10_000_000 }).map((n) => `${n / 100}`),
  fc.constantFrom('0', '4105123935484.817624', '9000000000000', '0.000000000000000001', '999999999999999999'),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }), fc.bigInt({ min: 1n, max: 10n ** 18n - 1n }))
    .map(([whole, part]) => `${whole}.${part.toString().padStart(18, '0')}`.replace(/0+$/, '')),
)
const change = fc.record(
  {
    side: fc.constantFrom('bid' as const, 'ask' as const),
    price: value.map(decimal),
    quantity: value.map(decimal),
    reason: fc.constantFrom('place' as const, 'trade' as const, 'cancel' as const, null),
  },
  { noNullPrototype: true },
)
const message = fc.record({
  changes: fc.array(change, { maxLength: 4 }),
  eventTimeNs: fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })),
  // Our clock may be set back, by more than an hour too.
  passed: fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 10n }), fc.bigInt({ min: -2n * HOUR_NS, max: 2n * HOUR_NS })),
  idsSkipped: fc.bigInt({ min: 0n, max: 10n ** 15n }),
  idsSpanned: fc.bigInt({ min: 0n, max: 1000n }),
  seqStep: fc.integer({ min: 1, max: 1000 }),
  epoch: fc.constantFrom('one', 'two'),
})

/** One to 25 messages of two epochs. */
export const anyMessages = fc.array(message, { minLength: 1, maxLength: 25 }).map((given): readonly BookMessage[] => {
  let seq = 0
  let updateId = 10n ** 17n
  let receivedTimeNs = AT
  return given.map((one) => {
    const firstUpdateId = updateId + one.idsSkipped
    seq += one.seqStep
    updateId = firstUpdateId + one.idsSpanned
    receivedTimeNs += one.passed
    return bookMessage(seq, {
      epochId: deriveId('epoch', one.epoch),
      changes: one.changes,
      eventTimeNs: one.eventTimeNs,
      receivedTimeNs,
      firstUpdateId,
      lastUpdateId: updateId,
    })
  })
})

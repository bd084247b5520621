import { type ChangeReason, type DecimalText, invariant, type LevelChange, type Side } from '@booktape/market'

/** Side and reason of a change in one letter, as column `marks` of migrations/0001 has them: lower case is a bid. */
const LETTERS = { place: 'pP', trade: 'tT', cancel: 'cC', 'top-of-book': 'bB', initial: 'iI' } as const
const NO_REASON = 'uU'

export function markOf({ side, reason }: LevelChange): string {
  const letters = reason === null ? NO_REASON : LETTERS[reason]
  return letters.charAt(side === 'bid' ? 0 : 1)
}

/** The other way round, by the letter's character code. */
export function changeOfMark(code: number, price: DecimalText, quantity: DecimalText): LevelChange {
  const meaning = MEANINGS[code]
  invariant(meaning !== undefined, `character ${code} is no mark of a level change`)
  return { side: meaning.side, price, quantity, reason: meaning.reason }
}

const ASCII_CODES = 128

type Meaning = Readonly<{ side: Side; reason: ChangeReason | null }>

const MEANINGS: readonly (Meaning | undefined)[] = (() => {
  const meanings: (Meaning | undefined)[] = Array.from({ length: ASCII_CODES }, () => undefined)
  const letters: readonly [ChangeReason | null, string][] = [
    ...(Object.entries(LETTERS) as [ChangeReason, string][]),
    [null, NO_REASON],
  ]
  for (const [reason, text] of letters) {
    meanings[text.charCodeAt(0)] = { side: 'bid', reason }
    meanings[text.charCodeAt(1)] = { side: 'ask', reason }
  }
  return meanings
})()

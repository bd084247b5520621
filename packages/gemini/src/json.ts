import { VenueProtocolError } from '@booktape/market'
import { excerpt } from './excerpt.ts'
import { JsonNumber, type JsonObject, type JsonValue } from './json-value.ts'

export type JsonLimits = Readonly<{ maxDepth: number; maxLength: number }>

/** Nothing of the venue nests deeper than 4; 1M nested arrays must fail at the ninth bracket. */
export const MAX_DEPTH = 8
/** In UTF-16 units: BTC/USD's whole book is 0.15 MB on the new API and about 0.5 MB on v1. */
export const MAX_TEXT_LENGTH = 16 * 1024 * 1024
/** 200,000 levels of v1 are 1.4M values; 16 MiB of `[],[],` would be 5M. */
const MAX_VALUES = 2_000_000
/** The longest strings of the wire are error messages of a few hundred characters. */
const MAX_STRING_LENGTH = 65_536
/** Ids and times have 19 digits; BigInt's own reading grows faster than the text does. */
const MAX_NUMBER_LENGTH = 1_000

const WIRE_LIMITS: JsonLimits = { maxDepth: MAX_DEPTH, maxLength: MAX_TEXT_LENGTH }

/**
 * Reads one JSON text (RFC 8259) strictly and without loss. Throws VenueProtocolError: MALFORMED_JSON (lone surrogates
 * included), DUPLICATE_KEY, TOO_DEEP, TOO_LARGE, or UNREADABLE_NUMBER for a number longer than any limit of ours.
 */
export function readJson(text: string, limits: JsonLimits = WIRE_LIMITS): JsonValue {
  if (text.length > limits.maxLength) {
    throw new VenueProtocolError('TOO_LARGE', `a text of ${text.length} characters; the limit is ${limits.maxLength}`)
  }
  if (!text.isWellFormed()) throw new VenueProtocolError('MALFORMED_JSON', 'half of a surrogate pair in the text')
  const reader = new Reader(text, limits.maxDepth)
  return reader.readDocument()
}

const TAB = 9
const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const SPACE = 32
const QUOTE = 34
const PLUS = 43
const COMMA = 44
const MINUS = 45
const POINT = 46
const ZERO = 48
const NINE = 57
const COLON = 58
const UPPER_E = 69
const OPEN_BRACKET = 91
const BACKSLASH = 92
const CLOSE_BRACKET = 93
const LOWER_E = 101
const LOWER_F = 102
const LOWER_N = 110
const LOWER_T = 116
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

/** Recursive descent; the recursion is at most `maxDepth` deep. Past the end, charCodeAt gives NaN, which equals no code. */
class Reader {
  readonly #text: string
  readonly #maxDepth: number
  #at = 0
  #depth = 0
  #values = 0

  constructor(text: string, maxDepth: number) {
    this.#text = text
    this.#maxDepth = maxDepth
  }

  readDocument(): JsonValue {
    const value = this.#readValue(this.#nextCode())
    if (this.#at < this.#text.length) {
      this.#nextCode()
      if (this.#at < this.#text.length) throw this.#malformed('the end of the text')
    }
    return value
  }

  /** The code of the next character that is not white space; `#at` stands on it. */
  #nextCode(): number {
    const text = this.#text
    let at = this.#at
    let code = text.charCodeAt(at)
    while (code === SPACE || code === LINE_FEED || code === CARRIAGE_RETURN || code === TAB)
      code = text.charCodeAt(++at)
    this.#at = at
    return code
  }

  #readValue(code: number): JsonValue {
    if (++this.#values > MAX_VALUES) throw new VenueProtocolError('TOO_LARGE', `more than ${MAX_VALUES} JSON values`)
    switch (code) {
      case QUOTE:
        return this.#readString()
      case OPEN_BRACKET:
        return this.#readArray()
      case OPEN_BRACE:
        return this.#readObject()
      case LOWER_T:
        return this.#readWord('true', true)
      case LOWER_F:
        return this.#readWord('false', false)
      case LOWER_N:
        return this.#readWord('null', null)
      default:
        return this.#readNumber(code)
    }
  }

  #readArray(): JsonValue[] {
    this.#descend()
    const values: JsonValue[] = []
    let code = this.#nextCode()
    if (code === CLOSE_BRACKET) return this.#ascend(values)
    for (;;) {
      values.push(this.#readValue(code))
      code = this.#nextCode()
      if (code === CLOSE_BRACKET) return this.#ascend(values)
      if (code !== COMMA) throw this.#malformed('"," or "]"')
      this.#at++
      code = this.#nextCode()
    }
  }

  #readObject(): JsonObject {
    this.#descend()
    const fields = new Map<string, JsonValue>()
    let keys = 0
    let code = this.#nextCode()
    if (code === CLOSE_BRACE) return this.#ascend(fields)
    for (;;) {
      if (code !== QUOTE) throw this.#malformed('a key in quotes')
      const key = this.#readString()
      if (this.#nextCode() !== COLON) throw this.#malformed('":"')
      this.#at++
      fields.set(key, this.#readValue(this.#nextCode()))
      if (fields.size !== ++keys) {
        throw new VenueProtocolError('DUPLICATE_KEY', `the key ${excerpt(key)} stands twice`)
      }
      code = this.#nextCode()
      if (code === CLOSE_BRACE) return this.#ascend(fields)
      if (code !== COMMA) throw this.#malformed('"," or "}"')
      this.#at++
      code = this.#nextCode()
    }
  }

  #descend(): void {
    if (++this.#depth > this.#maxDepth) {
      throw new VenueProtocolError('TOO_DEEP', `nested deeper than ${this.#maxDepth} at character ${this.#at}`)
    }
    this.#at++
  }

  #ascend<T>(value: T): T {
    this.#depth--
    this.#at++
    return value
  }

  #readWord<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#malformed('a JSON value')
    this.#at += word.length
    return value
  }

  #readString(): string {
    const text = this.#text
    const start = this.#at + 1
    let at = start
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) break
      if (code === BACKSLASH) return this.#readEscapedString(start, at)
      if (!(code >= SPACE)) throw this.#malformedAt(at, 'the rest of a string')
      at++
    }
    if (at - start > MAX_STRING_LENGTH) throw tooLongString()
    this.#at = at + 1
    return text.slice(start, at)
  }

  /** A string from its first backslash on, copied in runs between escapes. */
  #readEscapedString(start: number, firstEscape: number): string {
    const text = this.#text
    let result = ''
    let runStart = start
    let at = firstEscape
    for (;;) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) break
      if (at - start > MAX_STRING_LENGTH) throw tooLongString()
      if (code === BACKSLASH) {
        this.#at = at + 1
        result += text.slice(runStart, at) + this.#readEscape()
        at = this.#at
        runStart = at
        continue
      }
      if (!(code >= SPACE)) throw this.#malformedAt(at, 'the rest of a string')
      at++
    }
    result += text.slice(runStart, at)
    this.#at = at + 1
    // Two escapes may make one character, so the pair is judged when the string is whole.
    if (!result.isWellFormed()) throw new VenueProtocolError('MALFORMED_JSON', 'half of a surrogate pair in an escape')
    return result
  }

  /** `#at` stands behind the backslash, and afterwards behind the escape. */
  #readEscape(): string {
    const letter = this.#text.charAt(this.#at)
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at + 1, this.#at + 5)
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#malformed('four hexadecimal digits after \\u')
      this.#at += 5
      return String.fromCharCode(Number.parseInt(digits, 16))
    }
    const character = ESCAPES.get(letter)
    if (character === undefined) throw this.#malformed('an escape of JSON')
    this.#at++
    return character
  }

  #readNumber(first: number): bigint | JsonNumber {
    const text = this.#text
    const start = this.#at
    let at = start
    if (first === MINUS) at++
    if (text.charCodeAt(at) === ZERO) at++
    else at = this.#readDigits(at)
    const integerEnd = at
    if (text.charCodeAt(at) === POINT) at = this.#readDigits(at + 1)
    const code = text.charCodeAt(at)
    if (code === LOWER_E || code === UPPER_E) {
      const sign = text.charCodeAt(at + 1)
      at = this.#readDigits(sign === PLUS || sign === MINUS ? at + 2 : at + 1)
    }
    if (at - start > MAX_NUMBER_LENGTH) {
      throw new VenueProtocolError('UNREADABLE_NUMBER', `a number of more than ${MAX_NUMBER_LENGTH} characters`)
    }
    this.#at = at
    const number = text.slice(start, at)
    return at === integerEnd ? BigInt(number) : new JsonNumber(number)
  }

  /** The position behind one digit or more. */
  #readDigits(from: number): number {
    const text = this.#text
    let at = from
    let code = text.charCodeAt(at)
    while (code >= ZERO && code <= NINE) code = text.charCodeAt(++at)
    if (at === from) throw this.#malformedAt(at, from === this.#at ? 'a JSON value' : 'a digit')
    return at
  }

  #malformed(expected: string): VenueProtocolError {
    return this.#malformedAt(this.#at, expected)
  }

  #malformedAt(at: number, expected: string): VenueProtocolError {
    const found = at < this.#text.length ? JSON.stringify(this.#text.charAt(at)) : 'the end of the text'
    return new VenueProtocolError('MALFORMED_JSON', `expected ${expected} at character ${at}, found ${found}`)
  }
}

/** By the letter behind the backslash. */
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

function tooLongString(): VenueProtocolError {
  return new VenueProtocolError('TOO_LARGE', `a string of more than ${MAX_STRING_LENGTH} characters`)
}

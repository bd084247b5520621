/** A JSON value that has lost nothing: integers of any size are bigints, other numbers keep their text. */
export type JsonValue = null | boolean | string | bigint | JsonNumber | JsonValue[] | JsonObject
/** Keys live in a Map, so that `__proto__` is a key like any other. */
export type JsonObject = ReadonlyMap<string, JsonValue>

/** A number with a fraction or an exponent, as it was spelt. */
export class JsonNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

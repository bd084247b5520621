/** Bytes that grow; what is written past the end leaves zeros between. */
export class GrowingBytes {
  #bytes = new Uint8Array(256)
  length = 0

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length)
  }

  write(bytes: Uint8Array, at: number): void {
    const end = at + bytes.length
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length))
      larger.set(this.view())
      this.#bytes = larger
    }
    this.#bytes.set(bytes, at)
    this.length = Math.max(this.length, end)
  }

  truncate(length: number): void {
    this.#bytes.fill(0, length, this.length)
    this.length = length
  }

  copy(): GrowingBytes {
    const copy = new GrowingBytes()
    copy.write(this.view(), 0)
    return copy
  }
}

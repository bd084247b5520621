import type { Readable } from 'node:stream'

/** How a body ended: whole, longer than the limit (cut there), or with the connection lost before its end. */
export type BodyEnd = 'whole' | 'too long' | 'broken'

/** Collects a body up to `limit` bytes and calls `done` once. A longer one is left unread: the caller destroys it. */
export function readAtMost(stream: Readable, limit: number, done: (body: Buffer, end: BodyEnd) => void): void {
  const chunks: Buffer[] = []
  let size = 0
  let ended = false

  const finish = (end: BodyEnd): void => {
    if (ended) return
    ended = true
    stream.pause()
    done(Buffer.concat(chunks), end)
  }

  stream.on('data', (chunk: Buffer) => {
    if (ended) return
    chunks.push(chunk.subarray(0, limit - size))
    size += chunk.length
    if (size > limit) finish('too long')
  })
  stream.on('end', () => finish('whole'))
  stream.on('error', () => finish('broken'))
  stream.on('close', () => finish('broken'))
}

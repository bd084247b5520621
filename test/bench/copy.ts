import { createRequire } from 'node:module'
import type { Readable, Writable } from 'node:stream'
import type { Client, Submittable } from 'pg'

// COPY by the module that packages/store uses.
const load = createRequire(new URL('../../packages/store/package.json', import.meta.url))
const streams = load('pg-copy-streams') as {
  from(sql: string): Submittable & Writable
  to(sql: string): Submittable & Readable
}

/** Rows in, a line of text each. */
export async function copyIn(client: Client, sql: string, lines: readonly string[]): Promise<void> {
  const stream = client.query(streams.from(sql))
  const ended = new Promise<void>((resolve, reject) => {
    stream.once('finish', resolve).once('error', reject)
  })
  stream.end(`${lines.join('\n')}\n`)
  await ended
}

/** Rows out: whole lines of COPY's text form, some at a time. */
export async function* copyOut(client: Client, sql: string): AsyncGenerator<readonly string[]> {
  let rest = ''
  for await (const chunk of client.query(streams.to(sql)) as AsyncIterable<Buffer>) {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    yield lines
  }
}

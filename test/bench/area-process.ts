import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AREAS } from './areas.ts'
import type { BenchOptions } from './measure.ts'
import { type BenchServer, startServer } from './server.ts'

// One area in a process of its own, so that what one leaves behind (garbage, compiled code) is no part of the next one's figures.
// Started by main.ts, to which it sends the result.

export type AreaOrder = Readonly<{ area: string }> &
  Pick<BenchOptions, 'isSmoke' | 'rounds' | 'seed' | 'profileDirectory'>

const { area: name, ...options } = JSON.parse(process.argv[2] ?? '{}') as AreaOrder
const directory = await mkdtemp(join(tmpdir(), 'booktape-bench-'))
let server: Promise<BenchServer> | null = null

const clean = async (): Promise<void> => {
  await (await server)?.stop()
  await rm(directory, { recursive: true, force: true })
}
// Postgres outlives whoever started it, unless it is stopped.
const giveUp = (): void => void clean().finally(() => process.exit(130))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, giveUp)
process.once('disconnect', giveUp)

try {
  const area = AREAS.find((known) => known.name === name)
  const result = await area?.run({ ...options, directory, server: () => (server ??= startServer(directory)) })
  process.send?.(result)
} finally {
  process.off('disconnect', giveUp)
  await clean()
  process.disconnect()
}

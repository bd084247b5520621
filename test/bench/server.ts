import { join } from 'node:path'
import { startEmbedded } from '@booktape/embedded'
import { migrate } from '@booktape/store'
import { Client } from 'pg'
import { keepOffOwnCore } from './pinning.ts'

/** A real Postgres with its writes synced, for the areas that store. */
export type BenchServer = Readonly<{
  /** A new, migrated database. */
  freshDatabase(): Promise<BenchDatabase>
  stop(): Promise<void>
}>

export type BenchDatabase = Readonly<{ name: string; url: string; client: Client; close(): Promise<void> }>

export async function startServer(directory: string): Promise<BenchServer> {
  const server = await startEmbedded({ directory: join(directory, 'postgres') })
  keepOffOwnCore(server.pid())
  const admin = new Client({ connectionString: server.url })
  admin.on('error', () => undefined) // stopped below it: whoever waits for an answer is told by the answer
  await admin.connect()
  let count = 0
  return {
    freshDatabase: async () => {
      const name = `bench_${++count}`
      await admin.query(`create database ${name}`)
      const url = new URL(server.url)
      url.pathname = `/${name}`
      await migrate(url.href)
      const client = new Client({ connectionString: url.href })
      client.on('error', () => undefined)
      await client.connect()
      return {
        name,
        url: url.href,
        client,
        close: async () => {
          await client.end()
          await admin.query(`drop database ${name} with (force)`)
        },
      }
    },
    stop: async () => {
      await admin.end()
      await server.stop()
    },
  }
}

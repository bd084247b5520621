import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A server that speaks S3 on this machine, with one bucket, and the keys that it takes; it checks every signature. */
export type S3Server = Readonly<{
  endpoint: string
  bucket: string
  keys: Readonly<{ AWS_ACCESS_KEY_ID: string; AWS_SECRET_ACCESS_KEY: string }>
  close(): Promise<void>
}>

const BUCKET = 'tape'

export async function startS3Server(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'booktape-s3-'))
  const port = await freePort()
  const main = join(dirname(fileURLToPath(import.meta.resolve('s3rver/package.json'))), 'bin/s3rver.js')
  const args = [
    '--directory',
    directory,
    '--address',
    '127.0.0.1',
    '--port',
    String(port),
    '--configure-bucket',
    BUCKET,
  ]
  const child = spawn(process.execPath, ['--no-deprecation', main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data') // it says where it listens
  child.stdout.resume()
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket: BUCKET,
    keys: { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' },
    close: async () => {
      child.kill()
      await once(child, 'exit')
      await rm(directory, { recursive: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

import { createReadStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { S3Client } from '@aws-sdk/client-s3'
import { ArchiveError } from './errors.ts'
import type { ArchiveStorage } from './storage.ts'

export type S3Place = Readonly<{
  bucket: string
  prefix: string // '' or `…/`
  endpoint: string | null // null: Amazon's own
  region: string
}>

/**
 * A bucket of S3 or of whatever speaks its language. Keys come as the AWS client finds them: `AWS_ACCESS_KEY_ID` and
 * `AWS_SECRET_ACCESS_KEY`, its files, or the role of the machine or of the pod. An object appears whole or not at all.
 */
export async function s3Storage({ bucket, prefix, endpoint, region }: S3Place): Promise<ArchiveStorage> {
  const s3 = await import('@aws-sdk/client-s3') // a second to load, and only needed here
  const client: S3Client = new s3.S3Client({
    region,
    ...(endpoint === null ? {} : { endpoint, forcePathStyle: true }),
    // What is published is read back and compared; servers other than Amazon's do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const name = `s3://${bucket}/${prefix}`
  const keyOf = (path: string): { Bucket: string; Key: string } => ({ Bucket: bucket, Key: `${prefix}${path}` })
  let staging: string | null = null

  const orUnreachable = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      throw new ArchiveError(
        'UNREACHABLE',
        `The archive ${name} cannot be ${what}: ${why}. Mend that, then run this again.`,
        { cause: error },
      )
    }
  }
  const orNull = async <T>(work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work()
    } catch (error) {
      if (error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound')) return null
      throw error
    }
  }
  const dropStage = async (): Promise<void> => {
    if (staging !== null) await rm(staging, { recursive: true, force: true })
  }

  return {
    name,
    open: (path) =>
      orUnreachable('read', async () => {
        const found = await orNull(() => client.send(new s3.HeadObjectCommand(keyOf(path))))
        if (found === null) return null
        const byteLength = found.ContentLength ?? 0
        const slice = async (start: number, end = byteLength): Promise<ArrayBuffer> => {
          if (start >= end) return new ArrayBuffer(0)
          const part = await orUnreachable('read', () =>
            client.send(
              new s3.GetObjectCommand({
                ...keyOf(path),
                Range: `bytes=${start}-${end - 1}`,
                // Parts of one version only: a day may be archived again meanwhile.
                ...(found.ETag === undefined ? {} : { IfMatch: found.ETag }),
              }),
            ),
          )
          const bytes = (await part.Body?.transformToByteArray()) ?? new Uint8Array()
          return new Uint8Array(bytes).buffer
        }
        return { byteLength, slice, close: () => Promise.resolve() }
      }),
    readText: (path) =>
      orUnreachable('read', async () => {
        const found = await orNull(() => client.send(new s3.GetObjectCommand(keyOf(path))))
        return (await found?.Body?.transformToString()) ?? null
      }),
    list: (folder) =>
      orUnreachable('read', async () => {
        const paths: string[] = []
        const pages = s3.paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: `${prefix}${folder}` })
        for await (const { Contents = [] } of pages) {
          for (const { Key } of Contents) if (Key !== undefined) paths.push(Key.slice(prefix.length))
        }
        return paths.sort()
      }),
    stage: async () => {
      await dropStage()
      staging = await mkdtemp(join(tmpdir(), 'booktape-archive-'))
      return staging
    },
    publish: (stagedFile, path) =>
      orUnreachable('written', async () => {
        const { size } = await stat(stagedFile)
        await client.send(
          new s3.PutObjectCommand({ ...keyOf(path), Body: createReadStream(stagedFile), ContentLength: size }),
        )
        await rm(stagedFile)
      }),
    remove: (path) =>
      orUnreachable('written', async () => void (await client.send(new s3.DeleteObjectCommand(keyOf(path))))),
    close: async () => {
      client.destroy()
      await dropStage()
    },
  }
}

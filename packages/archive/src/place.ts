import { resolve } from 'node:path'
import { ArchiveError } from './errors.ts'
import { localStorage } from './local-storage.ts'
import { s3Storage } from './s3-storage.ts'
import type { ArchiveStorage } from './storage.ts'

/** Object storage other than Amazon's mostly does not ask, but the signature needs one. */
const USUAL_REGION = 'us-east-1'

/** Plain HTTP stays on this machine. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * A folder, or `s3://bucket/prefix`. `endpoint` is that of object storage other than Amazon's, such as `https://minio.internal:9000`.
 * Throws `ArchiveError` `BAD_PLACE`.
 */
export async function openStorage(
  place: string,
  { endpoint = null, region = null }: Readonly<{ endpoint?: string | null; region?: string | null }> = {},
): Promise<ArchiveStorage> {
  const [, scheme, rest = ''] = /^([a-z0-9]+):\/\/(.*)$/i.exec(place) ?? []
  if (scheme === undefined) {
    if (place === '')
      throw new ArchiveError('BAD_PLACE', 'The archive has no place: name a folder or s3://bucket/prefix.')
    return localStorage(resolve(place))
  }
  const [, bucket, path = ''] = /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(rest) ?? []
  if (scheme !== 's3' || bucket === undefined)
    throw new ArchiveError('BAD_PLACE', `${JSON.stringify(place)} is no archive: name a folder or s3://bucket/prefix.`)
  if (endpoint !== null) {
    const url = URL.parse(endpoint)
    if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))))
      throw new ArchiveError(
        'BAD_PLACE',
        `the endpoint of object storage must be https://…, not ${JSON.stringify(endpoint)}.`,
      )
  }
  const prefix = path.replace(/\/+$/, '')
  return await s3Storage({
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint,
    region: region ?? USUAL_REGION,
  })
}

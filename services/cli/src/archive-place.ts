import { type ArchiveStorage, openStorage } from '@booktape/archive'
import { ConfigError, readSettings } from '@booktape/runtime'

/** The archive that is named, or that of BOOKTAPE_ARCHIVE. @throws ConfigError, ArchiveError `BAD_PLACE` */
export async function storageFromEnvironment(place: string | undefined): Promise<ArchiveStorage> {
  const { named, endpoint, region } = readSettings(process.env, (read) => ({
    named: place ?? read.text('BOOKTAPE_ARCHIVE', { default: '' }),
    // As every other program that speaks S3 is told.
    endpoint: read.text('AWS_ENDPOINT_URL_S3', { default: null }) ?? read.text('AWS_ENDPOINT_URL', { default: null }),
    region: read.text('AWS_REGION', { default: null }) ?? read.text('AWS_DEFAULT_REGION', { default: null }),
  }))
  if (named === '')
    throw new ConfigError(['No archive is named: give a folder or s3://bucket/prefix, or set BOOKTAPE_ARCHIVE to it.'])
  return await openStorage(named, { endpoint, region })
}

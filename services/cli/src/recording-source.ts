import { openTape, type Tape } from '@booktape/client'
import { findDatabase } from './database-address.ts'

/** Where a command reads a recording from: `--archive`, or the database. */
export type SourceOptions = Readonly<{ archive?: string }>

/** The recording in the archive that is named, for which no database is needed, or else in the database. @throws ConfigError, ArchiveError */
export async function openRecording({ archive }: SourceOptions, applicationName: string): Promise<Tape> {
  if (archive === undefined) return openTape(await findDatabase(), applicationName)
  const [{ openArchive }, { storageFromEnvironment }] = await Promise.all([
    import('@booktape/archive'),
    import('./archive-place.ts'),
  ])
  return openArchive(await storageFromEnvironment(archive))
}

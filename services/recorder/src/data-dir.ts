import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '@booktape/runtime'

/** What stands where in BOOKTAPE_DATA_DIR. */
export type DataDir = Readonly<{ journal: string; postgres: string }>

const VENUE_FILE = 'venue'

/**
 * Makes the data directory and claims it for one venue: a journal of the simulated exchange replayed into a database of real
 * data would be a lie. Throws `ConfigError` when it belongs to another venue or cannot be written.
 */
export async function claimDataDir(directory: string, venue: string): Promise<DataDir> {
  try {
    await mkdir(directory, { recursive: true })
    const file = join(directory, VENUE_FILE)
    // Written aside and linked into place: a kill in between leaves no half a claim.
    const draft = `${file}.${process.pid}`
    await writeFile(draft, `${venue}\n`)
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    await rm(draft)
    const owner = (await readFile(file, 'utf8')).trim()
    if (owner !== venue) {
      throw new ConfigError([
        `BOOKTAPE_DATA_DIR ${directory} holds data of "${owner}" and this recorder is at "${venue}": give it a directory of its own.`,
      ])
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigError([
      `BOOKTAPE_DATA_DIR ${directory} cannot be used (${code}): name a directory that this user may write.`,
    ])
  }
  return { journal: join(directory, 'journal'), postgres: join(directory, 'postgres') }
}

import { type ArchiveStorage, archiveDays, openStorage } from '@booktape/archive'
import { openTape } from '@booktape/client'
import { openDatabase } from '@booktape/store'

/**
 * Archives a database into a folder, and kills itself before one of the calls that change the archive:
 *
 *   node test/archive-victim.ts <database url> <folder> <calls until then>
 */
const [url = '', folder = '', calls = ''] = process.argv.slice(2)
const storage = await openStorage(folder)
let left = Number(calls)
const count = (): void => {
  if (left-- === 0) process.kill(process.pid, 'SIGKILL')
}
const mortal: ArchiveStorage = {
  ...storage,
  publish: async (stagedFile, path) => {
    count()
    await storage.publish(stagedFile, path)
  },
  remove: async (path) => {
    count()
    await storage.remove(path)
  },
}
const database = openDatabase(url, { applicationName: 'booktape test', max: 2 })
const only = { fromDay: null, toDay: null }
const stopping = new AbortController().signal
await archiveDays({ database, tape: openTape(url), storage: mortal, software: 'booktape test', only, stopping })
process.exit(0)

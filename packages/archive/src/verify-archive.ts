import { ArchiveError } from './errors.ts'
import { manifestFolder, nameOf, type Unit, unitOfManifest } from './layout.ts'
import { type Manifest, readManifest } from './manifest.ts'
import type { ArchiveStorage } from './storage.ts'
import { verifyUnit } from './verify-unit.ts'

/** What is wrong with one unit of an archive, in words an operator can act on. */
export type ArchiveDamage = Readonly<{ unit: string; message: string }>

/**
 * Reads units of an archive back and gives what is wrong, one after another; nothing where all is as it was published. `isAsked` chooses
 * among the units. Throws `ArchiveError` only where the archive cannot be reached.
 */
export async function* verifyArchive(
  storage: ArchiveStorage,
  isAsked: (unit: Unit) => boolean = () => true,
): AsyncGenerator<Readonly<{ unit: Unit; manifest: Manifest | null; damage: ArchiveDamage | null }>> {
  for (const kind of ['books', 'trades', 'day'] as const) {
    for (const path of await storage.list(manifestFolder(kind))) {
      const unit = unitOfManifest(path)
      if (unit === null || !isAsked(unit)) continue
      let manifest: Manifest | null = null
      try {
        manifest = readManifest((await storage.readText(path)) ?? '', unit.kind, path)
        await verifyUnit(storage.open, manifest)
        if (manifest.kind === 'day') await verifyList(storage, manifest.units, path)
        yield { unit, manifest, damage: null }
      } catch (error) {
        if (!(error instanceof ArchiveError) || error.code === 'UNREACHABLE') throw error
        yield { unit, manifest, damage: { unit: nameOf(unit), message: error.message } }
      }
    }
  }
}

/** A day's manifest names those of its other units. */
async function verifyList(storage: ArchiveStorage, units: readonly string[], path: string): Promise<void> {
  for (const unit of units) {
    if ((await storage.readText(unit)) === null)
      throw new ArchiveError(
        'DAMAGED',
        `${unit} is not there, though ${path} names it. Archive that day with --again, or restore the file.`,
      )
  }
}

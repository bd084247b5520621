import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, forgetArchivedDay } from '@booktape/store'
import { manifestPath, type Unit } from './layout.ts'
import { localStorage } from './local-storage.ts'
import { type Manifest, manifestText, sha256 } from './manifest.ts'
import { StagedFiles } from './staged-files.ts'
import type { ArchiveStorage } from './storage.ts'
import { verifyBytes, verifyUnit } from './verify-unit.ts'

export type Published = Readonly<{ unit: Unit; bytes: number; rows: number; changes: number; changeBytes: number }>

/** The manifest of a unit that stands in the archive; `published` is null where it was there. */
export type Written = Readonly<{ sha256: string; published: Published | null }>

type Place = Readonly<{ storage: ArchiveStorage; database: Database; software: string }>

/**
 * Writes a unit to a stage, reads it back there, puts its files in their places, reads them again, and its manifest last. Nothing is done
 * where `there` finds that the archive has what the new manifest says. Throws `ArchiveError`, `StoreError`.
 */
export async function publishUnit<Made extends Manifest>(
  { storage, database, software }: Place,
  unit: Unit,
  write: (files: StagedFiles) => Promise<Made>,
  there: (manifest: Made) => Written | null = () => null,
): Promise<Written> {
  const stage = await storage.stage()
  try {
    const files = new StagedFiles(stage, unit, software)
    const written = await write(files)
    const before = there(written)
    if (before !== null) return before
    const manifest: Manifest = written
    const staged = localStorage(stage)
    const inStage = new Map(manifest.files.map(({ path, table }) => [path, `${table}.parquet`]))
    await verifyUnit((path) => staged.open(inStage.get(path) ?? path), manifest)
    await forgetArchivedDay(database, unit.date)
    // From here until its manifest is written anew the day is not published: readers are refused all of it, and not told that nothing was.
    await storage.remove(manifestPath({ kind: 'day', date: unit.date }))
    await storage.remove(manifestPath(unit))
    for (const file of manifest.files) {
      await storage.publish(files.path(file.table), file.path)
      await verifyBytes(storage.open, file)
    }
    const manifestFile = join(stage, 'manifest.json')
    const text = manifestText(manifest)
    await writeFile(manifestFile, text)
    await storage.publish(manifestFile, manifestPath(unit))
    return { sha256: sha256(text), published: publishedOf(unit, manifest) }
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

function publishedOf(unit: Unit, manifest: Manifest): Published {
  const changesFile = manifest.files.find(({ table }) => table === 'book_changes')
  return {
    unit,
    bytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0),
    rows: manifest.files.reduce((sum, { rows }) => sum + rows, 0),
    changes: manifest.kind === 'books' ? manifest.changes : 0,
    changeBytes: changesFile?.bytes ?? 0,
  }
}

import type { AsyncBuffer } from 'hyparquet'

/** Where an archive lies. Paths are relative to its root, with slashes. Every call throws `ArchiveError` `UNREACHABLE`. */
export type ArchiveStorage = Readonly<{
  /** The address, without keys, for messages. */
  name: string
  /** For reading parts of a file; null where there is none. */
  open(path: string): Promise<(AsyncBuffer & Readonly<{ close(): Promise<void> }>) | null>
  /** A small file as text; null where there is none. */
  readText(path: string): Promise<string | null>
  /** The paths of all files below a folder (`…/`), sorted. */
  list(folder: string): Promise<readonly string[]>
  /** A directory on local disk for what is not published yet, made anew; what an earlier run left in it is gone. */
  stage(): Promise<string>
  /** Puts a staged file in its place, whole or not at all; it replaces what was there. It is gone from the stage. */
  publish(stagedFile: string, path: string): Promise<void>
  remove(path: string): Promise<void>
  close(): Promise<void>
}>

import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Segments are named by their first position, so that their names are in their order. */
const SEGMENT = /^\d{16}\.segment$/

/** The segments of a journal, oldest first. */
export function segmentsOf(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => SEGMENT.test(name))
    .sort()
    .map((name) => join(directory, name))
}

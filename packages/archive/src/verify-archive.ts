import type { ArchivedDay } from '@booktape/store'
import { ArchiveError, damaged, missing, REMEDY } from './errors.ts'
import {
  isOfArchive,
  manifestPath,
  nameOf,
  type Placed,
  placeOf,
  tablePath,
  type Unit,
  unitOfManifest,
} from './layout.ts'
import { type DayManifest, type Manifest, readManifest, sha256, TABLES_OF } from './manifest.ts'
import type { ArchiveStorage } from './storage.ts'
import { damagesOf, type ReadBack } from './verify-unit.ts'

/**
 *   altered    a file is not what was published
 *   missing    a file that was published is gone
 *   surplus    a file is there that was never published, where readers look
 */
export type ArchiveFinding = Readonly<{
  kind: 'altered' | 'missing' | 'surplus'
  date: string | null
  symbol: string | null
  feed: string | null
  sentence: string // names the file, what is wrong with it and the next step
}>

/** What comes of verifying, as it comes; `report` is the last. */
export type ArchiveVerifyEvent =
  | Readonly<{ kind: 'finding'; finding: ArchiveFinding }>
  | Readonly<{ kind: 'progress'; what: string; done: number; total: number }>
  | Readonly<{ kind: 'report'; report: ArchiveReport }>

/** `elsewhere`: days that the database has noted of another archive. */
export type ArchiveReport = Readonly<ReadBack & { days: number; parts: number; findings: number; elsewhere: number }>

export type VerifyArchiveOptions = Readonly<{
  storage: ArchiveStorage
  /** Which parts of it, by what their paths say; all if not given. */
  isAsked?: (place: Placed) => boolean
  /** What the database has noted (`archivedDays` of packages/store); null: it is not asked. */
  noted: readonly ArchivedDay[] | null
}>

/**
 * Reads an archive back, day by day: each day's manifest, the manifests that it names, and their files, which are to be those that were
 * published and no others; and, where the database is asked, each day that it has noted as archived here. Throws `ArchiveError` only where
 * the archive cannot be reached, or there is none.
 */
export async function* verifyArchive(options: VerifyArchiveOptions): AsyncGenerator<ArchiveVerifyEvent> {
  const { storage, isAsked = () => true, noted } = options
  const isOfDays = (day: string): boolean => isAsked({ date: day, symbol: null, feed: null })
  const here = (noted ?? []).filter(({ day, place }) => place === storage.name && isOfDays(day))
  const paths = (await storage.list('')).filter(isOfArchive)
  const verifying = new Verifying(storage, isAsked, new Map(here.map((day) => [day.day, day])))
  const byDay = Map.groupBy(paths, (path) => placeOf(path)?.date ?? '')
  for (const date of byDay.keys()) if (date !== '' && !isOfDays(date)) byDay.delete(date)
  for (const { day } of here) if (!byDay.has(day)) byDay.set(day, [])
  if (paths.length === 0 && here.length === 0)
    throw new ArchiveError(
      'NOT_ARCHIVED',
      `${storage.name} holds no archive: name another place, or run "booktape archive" first.`,
    )
  const total = [...byDay.values()].flat().filter((path) => unitOfManifest(path) !== null).length
  let findings = 0
  for (const [date, ofDay] of [...byDay].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for await (const found of date === '' ? verifying.ofNoDay(ofDay) : verifying.day(date, ofDay)) {
      if (typeof found === 'string') yield { kind: 'progress', what: found, done: verifying.parts, total }
      else {
        findings++
        yield { kind: 'finding', finding: found }
      }
    }
  }
  const elsewhere = (noted ?? []).filter(({ place }) => place !== storage.name).length
  const { parts, readBack } = verifying
  const days = byDay.size - (byDay.has('') ? 1 : 0)
  yield { kind: 'report', report: { days, parts, ...readBack, findings, elsewhere } }
}

class Verifying {
  readonly readBack: ReadBack = { files: 0, rows: 0, bytes: 0, books: 0 }
  parts = 0
  readonly #storage: ArchiveStorage
  readonly #isAsked: (place: Placed) => boolean
  readonly #noted: ReadonlyMap<string, ArchivedDay>

  constructor(storage: ArchiveStorage, isAsked: (place: Placed) => boolean, noted: ReadonlyMap<string, ArchivedDay>) {
    this.#storage = storage
    this.#isAsked = isAsked
    this.#noted = noted
  }

  /** Engines read whatever lies in a table's folder. */
  *ofNoDay(paths: readonly string[]): Generator<ArchiveFinding> {
    for (const path of paths) yield surplus(path, 'is of no day')
  }

  /** Findings, and the name of each part before it is read. */
  async *day(date: string, paths: readonly string[]): AsyncGenerator<ArchiveFinding | string> {
    const dayUnit = { kind: 'day', date } as const
    const { manifest: day, finding } = await this.#dayManifest(dayUnit)
    if (finding !== null) yield finding
    const units = new Map<string, Unit>() // those that are published, or, where nobody says which are, whatever is there
    if (day === null) {
      for (const path of paths) {
        const unit = unitOfManifest(path)
        if (unit !== null && unit.kind !== 'day') units.set(path, unit)
      }
    } else {
      units.set(manifestPath(dayUnit), dayUnit)
      for (const { path } of day.units) {
        const unit = unitOfManifest(path)
        if (unit !== null) units.set(path, unit)
      }
      yield* this.#surplus(paths, units)
    }
    for (const [path, unit] of units) {
      const place = placeOf(path)
      if (place === null || !this.#isAsked(place)) continue
      yield nameOf(unit)
      yield* this.#unit(unit, path, day)
      this.parts++
    }
  }

  async #dayManifest(
    unit: Extract<Unit, { kind: 'day' }>,
  ): Promise<Readonly<{ manifest: DayManifest | null; finding: ArchiveFinding | null }>> {
    const path = manifestPath(unit)
    const noted = this.#noted.get(unit.date)
    const text = await this.#storage.readText(path)
    if (text === null && noted === undefined) {
      const what = `${path} is not there, though parts of that day are: it was lost, or a run of "booktape archive" goes on or was stopped. Run "booktape archive" again, or restore the file.`
      return { manifest: null, finding: findingOf('missing', path, what) }
    }
    const since = noted === undefined ? '' : `the database has noted that day as archived here on ${noted.verifiedAt}`
    if (text === null)
      return { manifest: null, finding: findingOf('missing', path, `${path} is not there, though ${since}. ${REMEDY}`) }
    try {
      const manifest = readManifest(text, unit)
      const isOther = noted !== undefined && noted.manifest !== sha256(text)
      const sentence = `${path} is not the one that was published: ${since}, with another SHA-256. ${REMEDY}`
      return { manifest, finding: isOther ? findingOf('altered', path, sentence) : null }
    } catch (error) {
      return { manifest: null, finding: findingOfError(error, path) }
    }
  }

  *#surplus(paths: readonly string[], units: ReadonlyMap<string, Unit>): Generator<ArchiveFinding> {
    const known = new Set(units.keys())
    for (const unit of units.values()) for (const table of TABLES_OF[unit.kind]) known.add(tablePath(table, unit))
    for (const path of paths) {
      const place = placeOf(path)
      if (place !== null && this.#isAsked(place) && !known.has(path))
        yield surplus(path, 'is in no manifest of its day')
    }
  }

  async *#unit(unit: Unit, path: string, day: DayManifest | null): AsyncGenerator<ArchiveFinding> {
    let manifest: Manifest
    try {
      manifest = unit.kind === 'day' && day !== null ? day : await this.#manifest(unit, path, day)
    } catch (error) {
      yield findingOfError(error, path)
      return
    }
    for await (const damage of damagesOf(this.#storage.open, manifest, this.readBack))
      yield findingOfError(damage, path)
  }

  async #manifest(unit: Unit, path: string, day: DayManifest | null): Promise<Manifest> {
    const text = await this.#storage.readText(path)
    const named = day?.units.find((candidate) => candidate.path === path)
    if (text === null) throw missing(path, 'is not there, though its day names it')
    const manifest = readManifest(text, unit)
    if (named !== undefined && named.sha256 !== sha256(text))
      throw damaged(path, 'is not the manifest that its day names')
    return manifest
  }
}

function surplus(path: string, what: string): ArchiveFinding {
  return findingOf(
    'surplus',
    path,
    `${path} ${what}, and whoever reads the folders reads it too. Move it out of the archive.`,
  )
}

/** Throws what says nothing of the archive's files. */
function findingOfError(error: unknown, path: string): ArchiveFinding {
  if (!(error instanceof ArchiveError) || error.code === 'UNREACHABLE') throw error
  return findingOf(error.code === 'MISSING' ? 'missing' : 'altered', path, error.message)
}

function findingOf(kind: ArchiveFinding['kind'], path: string, sentence: string): ArchiveFinding {
  const { date, symbol, feed } = placeOf(path) ?? { date: null, symbol: null, feed: null }
  return { kind, date, symbol, feed, sentence }
}

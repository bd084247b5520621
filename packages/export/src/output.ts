import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32, createDeflateRaw, createGzip, type DeflateRaw, type Gzip } from 'node:zlib'
import { npzEnd, npzPreamble, PREAMBLE_BYTES } from './npz.ts'
import type { OpenSink, Sink, Wrapping } from './sink.ts'

/** A finished file of an export. */
export type ExportedFile = Readonly<{ name: string; rows: number; bytes: number; sha256: string }>

/** What encoders may write before the disk is waited for: flat memory, few waits. */
export const PENDING_BYTES = 4 * 2 ** 20
/** Fast, and two thirds of the best a slow one does. */
const COMPRESSION = { level: 4 } as const

/** The files of one part, written under temporary names in `directory/.unfinished` until all are whole. */
export class PartFiles {
  readonly #root: string
  readonly #files: OutputFile[] = []

  constructor(root: string) {
    this.#root = root
  }

  readonly open: OpenSink = (name, wrapping) => {
    const file = new OutputFile(join(this.#root, UNFINISHED, `${this.#files.length}`), name, wrapping)
    this.#files.push(file)
    return file
  }

  get pendingBytes(): number {
    return this.#files.reduce((sum, file) => sum + file.pendingBytes, 0)
  }

  /** What was written so far goes to disk. */
  async drain(): Promise<void> {
    await mkdir(join(this.#root, UNFINISHED), { recursive: true })
    for (const file of this.#files) await file.drain()
  }

  /** Synced, then each under its own name. Which names is written down first, so that a kill in between leaves none of them for good. */
  async publish(): Promise<readonly ExportedFile[]> {
    for (const file of this.#files) file.close()
    await this.drain()
    const names = this.#files.map(({ name }) => name)
    await writeFile(join(this.#root, UNFINISHED, PUBLISHING), JSON.stringify(names), { flush: true })
    await syncDirectory(join(this.#root, UNFINISHED))
    const finished: ExportedFile[] = []
    for (const file of this.#files) {
      const target = join(this.#root, file.name)
      await mkdir(dirname(target), { recursive: true })
      const digest = await sha256Of(file.path)
      await rename(file.path, target)
      await syncDirectory(dirname(target))
      finished.push({ name: file.name, rows: file.rows, ...digest })
    }
    return finished
  }

  /** Leaves nothing of what is not published. */
  async discard(): Promise<void> {
    for (const file of this.#files) await file.abandon()
    await rm(join(this.#root, UNFINISHED), { recursive: true, force: true })
  }
}

/** Takes away whatever a run that was killed has left of the part it was at. */
export async function removeUnfinished(root: string): Promise<void> {
  const names = await readFile(join(root, UNFINISHED, PUBLISHING), 'utf8').catch(() => '[]')
  for (const name of namesOf(names)) await rm(join(root, name), { force: true })
  await rm(join(root, UNFINISHED), { recursive: true, force: true })
}

const UNFINISHED = '.unfinished'
const PUBLISHING = 'publishing.json'

/** None where the list itself was not finished: then no file has its name yet. */
function namesOf(text: string): readonly string[] {
  try {
    return JSON.parse(text) as readonly string[]
  } catch {
    return []
  }
}

/** The name of an entry of a directory outlives a power cut only when the directory is synced. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function sha256Of(path: string): Promise<Readonly<{ bytes: number; sha256: string }>> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** A file that takes rows at once and writes them when it is told to. */
class OutputFile implements Sink {
  readonly path: string
  name: string
  rows = 0
  pendingBytes = 0
  readonly #wrapping: Wrapping
  readonly #compressor: Compressor | null
  #pending: (string | Uint8Array)[] = []
  #handle: FileHandle | null = null
  #crc = 0
  #deflatedBytes = 0n
  #isClosing = false
  #isClosed = false

  constructor(path: string, name: string, wrapping: Wrapping) {
    this.path = path
    this.name = name
    this.#wrapping = wrapping
    this.#compressor =
      wrapping === 'plain'
        ? null
        : new Compressor(wrapping === 'gzip' ? createGzip(COMPRESSION) : createDeflateRaw(COMPRESSION))
  }

  write(bytes: string | Uint8Array, rows: number): void {
    this.rows += rows
    this.pendingBytes += bytes.length
    this.#pending.push(bytes)
  }

  close(name?: string): void {
    if (name !== undefined) this.name = name
    this.#isClosing = true
  }

  async drain(): Promise<void> {
    if (this.#isClosed) return
    const handle = this.#handle ?? (await this.#create())
    const bytes = joined(this.#pending)
    this.#pending = []
    this.pendingBytes = 0
    if (this.#wrapping === 'npz') this.#crc = crc32(bytes, this.#crc)
    await this.#append(handle, this.#compressor === null ? bytes : await this.#compressor.write(bytes))
    if (!this.#isClosing) return
    if (this.#compressor !== null) await this.#append(handle, await this.#compressor.end())
    if (this.#wrapping === 'npz') {
      const rows = { rows: this.rows, crc: this.#crc, deflatedBytes: this.#deflatedBytes }
      await handle.appendFile(npzEnd(rows))
      await handle.write(npzPreamble(rows), 0, PREAMBLE_BYTES, 0)
    }
    await handle.sync()
    await handle.close()
    this.#isClosed = true
  }

  async abandon(): Promise<void> {
    if (!this.#isClosed) await this.#handle?.close()
    this.#isClosed = true
  }

  async #create(): Promise<FileHandle> {
    this.#handle = await open(this.path, 'w')
    if (this.#wrapping === 'npz') await this.#handle.appendFile(Buffer.alloc(PREAMBLE_BYTES))
    return this.#handle
  }

  async #append(handle: FileHandle, bytes: Uint8Array): Promise<void> {
    this.#deflatedBytes += BigInt(bytes.length)
    await handle.appendFile(bytes)
  }
}

/** zlib's stream as calls: what goes in is answered with what came out meanwhile. */
class Compressor {
  readonly #stream: Gzip | DeflateRaw
  #out: Buffer[] = []
  #failure: Error | null = null

  constructor(stream: Gzip | DeflateRaw) {
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => this.#out.push(chunk))
    stream.on('error', (error) => {
      this.#failure = error
    })
  }

  async write(bytes: Uint8Array): Promise<Buffer> {
    await new Promise<void>((resolve) => this.#stream.write(bytes, () => resolve()))
    return this.#take()
  }

  async end(): Promise<Buffer> {
    await new Promise<void>((resolve) => {
      this.#stream.once('end', resolve)
      this.#stream.once('error', () => resolve())
      this.#stream.end()
    })
    return this.#take()
  }

  #take(): Buffer {
    if (this.#failure !== null) throw this.#failure
    const bytes = Buffer.concat(this.#out)
    this.#out = []
    return bytes
  }
}

function joined(pieces: readonly (string | Uint8Array)[]): Uint8Array {
  if (pieces.every((piece) => typeof piece === 'string')) return Buffer.from(pieces.join(''))
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
}

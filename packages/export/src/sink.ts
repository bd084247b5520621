/** How the bytes of a file are wrapped: as they are, gzipped, or as the one array of a NumPy archive. */
export type Wrapping = 'plain' | 'gzip' | 'npz'

/** One file that an encoder writes, row by row, without waiting for the disk. */
export type Sink = Readonly<{
  /** `rows`: how many of the format's rows these bytes are. */
  write(bytes: string | Uint8Array, rows: number): void
  /** Nothing more comes; without it the end of the part closes it. The name may be given here, where it tells what is inside. */
  close(name?: string): void
}>

/** `name`: a path within the export, with `/`. */
export type OpenSink = (name: string, wrapping: Wrapping) => Sink

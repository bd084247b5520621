import { write, writeSync } from 'node:fs'

/** Waiting log text when nobody reads our output. Full means that log lines, never market records, are dropped. */
export const MAX_WAITING_LOG_BYTES = 8 * 2 ** 20
/** A full pipe in non-blocking mode is tried again after this. */
export const RETRY_MS = 10
/** At exit, time for a write that another thread has begun; if its reader is stuck, the rest is given up. */
export const LAST_WRITE_MS = 20

export type LogDestination = Readonly<{ write(line: string): void }>

/**
 * Lines to a file descriptor, in order, without ever waiting for their reader: a terminal that stops reading must not
 * stop the recorder, and one that went away must not keep it from ending. What is left at exit is written then.
 */
export function openLogOutput(fd: number): LogDestination {
  let waiting: Buffer[] = []
  let waitingBytes = 0
  let droppedLines = 0
  let isWriting = false
  let isGone = false // nobody will ever read again

  function next(): void {
    if (isWriting || waiting.length === 0) return
    const chunk = Buffer.concat(waiting)
    waiting = []
    isWriting = true
    write(fd, chunk, (error, written) => {
      isWriting = false
      if (error !== null && error.code !== 'EAGAIN') return giveUp()
      const rest = chunk.subarray(error === null ? written : 0)
      waitingBytes -= chunk.length - rest.length
      if (rest.length > 0) waiting.unshift(rest)
      else tellDropped()
      if (error === null) next()
      else setTimeout(next, RETRY_MS)
    })
  }

  function tellDropped(): void {
    if (droppedLines === 0) return
    const notice = { level: 'warn', droppedLines, msg: 'log lines were dropped: nobody read them' }
    const bytes = Buffer.from(`${JSON.stringify(notice)}\n`)
    waiting.push(bytes)
    waitingBytes += bytes.length
    droppedLines = 0
  }

  function giveUp(): void {
    isGone = true
    waiting = []
    waitingBytes = 0
  }

  process.once('exit', () => {
    if (isGone || waiting.length === 0) return
    if (isWriting) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WRITE_MS)
    // With more waiting than a pipe holds, its reader does not read: writing to it might never return.
    if (isWriting && waitingBytes > PIPE_BYTES) return
    try {
      for (const line of waiting) writeSync(fd, line)
    } catch {
      // the reader is gone or does not read: this was the last attempt
    }
  })

  return {
    write: (line) => {
      if (isGone) return
      const bytes = Buffer.from(line)
      if (waitingBytes + bytes.length > MAX_WAITING_LOG_BYTES) {
        droppedLines++
        return
      }
      waiting.push(bytes)
      waitingBytes += bytes.length
      next()
    },
  }
}

/** What Linux keeps for a pipe that nobody reads. */
const PIPE_BYTES = 65_536

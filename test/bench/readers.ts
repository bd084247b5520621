import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { keepOffOwnCore } from './pinning.ts'

/** Those who query a database while it is recorded into, in a process of their own. */
export type Readers = Readonly<{
  /** Answers a second, since they began. */
  stop(): Promise<number>
}>

export type ReadersReport = Readonly<{ answersPerSecond: number }>

export function startReaders(databaseUrl: string, count: number): Readers {
  const child = fork(fileURLToPath(new URL('readers-process.ts', import.meta.url)), [databaseUrl, String(count)], {
    execArgv: [],
  })
  if (child.pid !== undefined) keepOffOwnCore(child.pid)
  const report = new Promise<ReadersReport>((resolve, reject) => {
    child.once('message', (message: ReadersReport) => resolve(message))
    child.once('exit', (code) => reject(new Error(`the readers ended with ${code}`)))
  })
  report.catch(() => undefined)
  return {
    stop: async () => {
      if (child.connected) child.send('stop')
      const { answersPerSecond } = await report
      child.disconnect()
      return answersPerSecond
    },
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { compareRecordings, type Fault, recordReplay, startFaultyRecording } from '../replayed-recording.ts'
import { type Drill, seconds } from './drill.ts'

/** A long recording with resyncs, replayed as fast as it goes over real sockets into a second recorder. */
export const replay: Drill = {
  about: 'a recording replayed into a second recorder: its tables equal those of the first',
  usual: { minutes: 10, symbols: 10, rate: 1, resyncs: 12, instants: 1_000 },
  async run(numbers, say) {
    const symbols = numbers('symbols')
    const resyncs = numbers('resyncs')
    const { recording: first, suffer, stop } = await startFaultyRecording({ symbols, rate: numbers('rate') })
    try {
      const named = Object.keys(Object.fromEntries([...first.corridor.state.tracks.values()].map((t) => [t.symbol, t])))
      for (let i = 0; i < resyncs; i++) {
        await delay((numbers('minutes') * 60_000) / (resyncs + 1))
        await suffer(faultOf(i, named[i % named.length] ?? ''))
      }
      await delay((numbers('minutes') * 60_000) / (resyncs + 1))
    } finally {
      await stop()
    }
    try {
      const startedMs = performance.now()
      const { second, events } = await recordReplay(first, 'full')
      const tookMs = performance.now() - startedMs
      say(`${events} events replayed and recorded again in ${seconds(tookMs)}`)
      try {
        const equal = await compareRecordings(first, second, numbers('instants'))
        say(
          `equal: ${Object.entries(equal)
            .map(([what, count]) => `${count} ${what}`)
            .join(', ')}`,
        )
        return []
      } catch (error) {
        return [error instanceof Error ? error.message : String(error)]
      } finally {
        await second.close()
      }
    } finally {
      await first.close()
    }
  },
}

/** A frame lost on either feed, a v1 connection cut, all of ws cut; a v1 symbol is dialed once a minute, so each has its turn. */
function faultOf(turn: number, symbol: string): Fault {
  switch (turn % 4) {
    case 0:
      return { fault: 'drop', feed: 'ws', kind: 'depth', symbol }
    case 1:
      return { fault: 'drop', feed: 'v1', symbol }
    case 2:
      return { fault: 'close', feed: 'v1', symbol }
    default:
      return { fault: 'close', feed: 'ws' }
  }
}

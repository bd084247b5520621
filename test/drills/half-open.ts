import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { judge } from '../chaos/oracle.ts'
import { booksMissing } from '../chaos/recorder-pages.ts'
import type { SpawnedRecorder } from '../chaos/spawned-recorder.ts'
import { World } from '../chaos/world.ts'
import { type Drill, percentile, seconds } from './drill.ts'
import { connectionsTo } from './tcp-connections.ts'

/**
 * Connections that are open at both ends and through which nothing passes any more: the packets of one v1 connection and of the new
 * API's are dropped by the kernel, in a network of this drill's own. Timed until the recorder has given each up by itself.
 */
export const halfOpen: Drill = {
  about: 'half-open sockets, packets dropped by the kernel in an own network: how soon each is noticed (needs root)',
  usual: { tries: 20, seed: 1, rate: 2, 'goal-v1-s': 12, 'goal-ws-s': 15 },
  async run(numbers, say) {
    if (process.env[INSIDE] === undefined) return await again(say)
    const tries = numbers('tries')
    const symbols = SYMBOLS.slice(0, Math.max(2, Math.min(tries, SYMBOLS.length)))
    const world = await World.start({ seed: numbers('seed'), symbols, rate: numbers('rate') })
    const direct = {
      BOOKTAPE_GEMINI_V1_URL: world.exchange.v1Url,
      BOOKTAPE_GEMINI_WS_URL: world.exchange.wsUrl,
      BOOKTAPE_GEMINI_REST_URL: world.exchange.restUrl,
    }
    try {
      world.scenario = 'half-open'
      const v1 = world.recorder('v1', { ...direct, BOOKTAPE_FEEDS: 'v1' })
      const ws = world.recorder('ws', { ...direct, BOOKTAPE_FEEDS: 'ws' })
      v1.start()
      ws.start()
      await world.recovered()
      const noticed = { v1: [] as number[], ws: [] as number[] }
      const port = Number(new URL(world.exchange.url).port)
      const v1Ports = await settledConnections(v1, port, symbols.length)
      for (let i = 0; i < tries; i++) {
        const v1Port = v1Ports[i % v1Ports.length] ?? 0
        const [wsPort = 0] = await settledConnections(ws, port, 1)
        // A try begins at another moment between two pings, two heartbeats and two ticks each time.
        await delay((i * PING_MS) / tries)
        drop([v1Port, wsPort], port)
        world.count(2)
        const sinceNs = world.clock.monoNs()
        const [v1Ms, wsMs] = await Promise.all([untilNoticed(world, v1, sinceNs), untilNoticed(world, ws, sinceNs)])
        noticed.v1.push(v1Ms)
        noticed.ws.push(wsMs)
        say(`${i + 1}: v1 noticed after ${seconds(v1Ms)}, the new API after ${seconds(wsMs)}`)
        await world.recovered()
        hangUpDead(world)
      }
      for (const feed of ['v1', 'ws'] as const) {
        const goalMs = numbers(`goal-${feed}-s`) * 1_000
        const worst = percentile(noticed[feed], 1)
        say(
          `${feed}: ${noticed[feed].length} tries, noticed after p50 ${seconds(percentile(noticed[feed], 0.5))}, worst ${seconds(worst)} (goal ${seconds(goalMs)})`,
        )
        if (worst > goalMs) world.violated(`${feed} noticed after ${worst} ms, above the goal of ${goalMs} ms`)
        const [row] = await world.postgres.query<{ count: number }>(
          `select count(distinct ended_at)::integer as count from market.epochs where feed = $1 and end_reason = 'liveness'`,
          [feed],
        )
        if (row?.count !== tries)
          world.violated(`${tries} half-open ${feed} connections, ${row?.count} gaps by liveness`)
      }
      await judge(world, 50)
      return world.violations
    } finally {
      await world.close()
    }
  },
}

/** Set in the process that has a network of its own. */
const INSIDE = 'BOOKTAPE_DRILL_NETWORK'
const PING_MS = 5_000
const LOOK_AGAIN_MS = 25
const PATIENCE_MS = 60_000

const SYMBOLS =
  'btcusd ethusd solusd xrpusd dogeusd ltcusd bchusd linkusd zecusd ethbtc btceur btcgbp btcsgd btcusdt aaveusd btcgusdperp ethgusdperp solgusdperp xrpgusdperp avaxgusdperp'.split(
    ' ',
  )

/** The same drill in a network of its own, where dropping packets touches nobody else. */
async function again(say: (sentence: string) => void): Promise<readonly string[]> {
  const missing = ['unshare', 'ip', 'iptables'].filter(
    (program) => spawnSync(program, ['--version']).error !== undefined,
  )
  if (missing.length > 0 || process.getuid?.() !== 0) {
    return [`not possible on this machine: it needs root and ${missing.join(', ') || 'a network namespace'}`]
  }
  say('in a network of its own:')
  const command = `ip link set lo up && exec "$0" "$@"`
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const child = spawn(
    'unshare',
    ['--net', 'sh', '-c', command, process.execPath, main, 'half-open', ...process.argv.slice(3)],
    { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } },
  )
  const [code] = (await once(child, 'close')) as [number | null]
  return code === 0 ? [] : ['see above']
}

/** The local ports of a recorder's connections to the exchange, once there are as many as there should be. */
async function settledConnections(recorder: SpawnedRecorder, port: number, count: number): Promise<number[]> {
  for (;;) {
    const ports = connectionsTo(recorder.pid, port)
    if (ports.length === count) return ports
    await delay(LOOK_AGAIN_MS)
  }
}

/** Both directions, without a word to either end. */
function drop(localPorts: readonly number[], exchangePort: number): void {
  for (const port of localPorts) {
    for (const [from, to] of [
      [port, exchangePort],
      [exchangePort, port],
    ]) {
      const rule = ['-A', 'INPUT', '-p', 'tcp', '--sport', String(from), '--dport', String(to), '-j', 'DROP']
      const { status, stderr } = spawnSync('iptables', rule, { encoding: 'utf8' })
      if (status !== 0) throw new Error(`iptables: ${stderr}`)
    }
  }
}

/** The venue's end of what the recorder has given up: it would gather frames for it for many minutes. */
function hangUpDead({ exchange: { exchange }, symbols }: World): void {
  for (const symbol of symbols) {
    for (const feed of ['v1', 'ws'] as const) {
      const ids = exchange.connections.filter((open) => open.feed === feed && open.concerns(symbol)).map(({ id }) => id)
      for (const connection of ids.sort((a, b) => a - b).slice(0, -1)) {
        exchange.faults.inject({ fault: 'close', code: 1006, connection })
      }
    }
  }
}

/** Until a book of the recorder is not live any more: milliseconds. */
async function untilNoticed(world: World, recorder: SpawnedRecorder, sinceNs: bigint): Promise<number> {
  for (;;) {
    const missing = await booksMissing(recorder)
    const elapsedMs = Number((world.clock.monoNs() - sinceNs) / 1_000_000n)
    if (missing !== null && missing.length > 0) return elapsedMs
    if (elapsedMs > PATIENCE_MS) return elapsedMs
    await delay(LOOK_AGAIN_MS)
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { Dice } from '../simulation/dice.ts'
import { judgeOrders } from './account-judge.ts'
import { AccountScene } from './account-scene.ts'
import type { Drill } from './drill.ts'

/** A scripted trader on both private feeds, which lose, repeat, reorder and cut, while a recorder keeps the market that it trades in. */
export const orders: Drill = {
  about:
    'scripted orders under faults: events, fills and balances equal to the exchange, each fill joined to its trade, gaps told',
  usual: { orders: 1_000, 'orders-per-s': 10, 'fault-ms': 700, kills: 3, seed: 1, rate: 5 },
  async run(numbers, say) {
    const seed = numbers('seed')
    const scene = await AccountScene.start({
      seed,
      rate: numbers('rate'),
      symbols: ['btcusd', 'ethusd'],
      nonces: 'time',
      env: { BOOKTAPE_ACCOUNT_FEEDS: 'v1,ws' },
    })
    const { exchange } = scene.exchange
    try {
      await scene.until('the books to be live', '(select count(*) >= 4 from market.epochs)')
      scene.startAccount()
      await scene.until('both feeds to be live', LIVE)
      const dice = new Dice(seed, 'orders')
      const injected = new Map<string, number>()
      exchange.trade({ orders: numbers('orders'), perSecond: numbers('orders-per-s') })
      const killEvery = Math.ceil(numbers('orders') / (numbers('kills') + 1))
      let kills = 0
      while (exchange.isTrading) {
        await delay(dice.logBetween(numbers('fault-ms') / 5, numbers('fault-ms') * 3))
        const fault = dice.pick(FAULTS)
        if (fault === undefined) continue
        await fault.inject(scene)
        injected.set(fault.name, (injected.get(fault.name) ?? 0) + 1)
        if (kills >= numbers('kills') || exchange.truth.orders().length < killEvery * (kills + 1)) continue
        kills++
        await scene.account.stop('SIGKILL')
        scene.startAccount()
      }
      exchange.faults.clear()
      // One more subscription: what is open and what is held is told once more, and whatever was lost last is noticed.
      await scene.until('both feeds to be live', LIVE)
      const [gaps] = await scene.rows<{ count: string }>('select count(*) from account.gaps')
      for (const connection of exchange.connections) if (isPrivate(connection)) connection.close(1001, 'the end')
      await scene.until(
        'both feeds to be live again',
        `(select count(*) >= ${gaps?.count} + 2 from account.gaps) and ${LIVE}`,
      )
      const metrics = await scene.look()
      // v1's list of active orders ends with the next beat: then whatever ended unseen is known to have ended. And REST is asked.
      await scene.until(
        'every order to be over, and every gap to be filled',
        `not exists (select from account.orders where state in ('accepted', 'open', 'partially_filled'))
           and not exists (select from account.gaps where state <> 'filled' and cause <> 'first_start')`,
      )
      const nowNs = BigInt(Date.now()) * 1_000_000n
      await scene.until(
        'the market to be stored',
        `(select min(recorded_until) > to_timestamp(${nowNs / 1_000_000_000n} + 2) from booktape.journals)`,
      )
      await scene.account.stop()
      const violations = await judgeOrders(scene, say)
      const counts = [...injected].map(([name, count]) => `${count} ${name}`)
      say(`faults: ${counts.join(', ')}; ${kills} kills of the service`)
      say(
        metrics
          .split('\n')
          .filter((line) => /^booktape_account_(gaps|anomalies)_total/.test(line))
          .join('\n'),
      )
      for (const place of await scene.placesOfSecrets()) violations.push(`the key or the secret shows in ${place}`)
      const { executions } = exchange.truth.privateCounts()
      if (executions !== 0) violations.push(`${executions} times somebody asked to place, cancel or execute`)
      return violations
    } finally {
      await scene.close()
    }
  },
}

const LIVE = `not exists (select from account.gaps where state = 'open') and (select count(distinct feed) = 2 from account.gaps)`

type Connections = AccountScene['exchange']['exchange']['connections']

/** The account's own connections: that of v1 has a path of its own, that of the new API subscribes to the account. */
function isPrivate(connection: Connections[number]): boolean {
  return (
    'onOrders' in connection || ('subscriptions' in connection && String(connection.subscriptions).includes('@account'))
  )
}

const PICKED = ['v1', 'ws'] as const

/** A fault of frames on one feed of the account. */
function onFrames(
  fault: 'drop' | 'duplicate' | 'swap' | 'delay' | 'malformed' | 'binary',
  feed: (typeof PICKED)[number],
) {
  return (scene: AccountScene): void => {
    const { exchange } = scene.exchange
    const connection = exchange.connections.find((each) => each.feed === feed && isPrivate(each))?.id
    if (connection !== undefined) exchange.faults.inject({ fault, connection, kind: 'order', delayMs: 300 })
  }
}

function cut(feed: (typeof PICKED)[number], code: number) {
  return (scene: AccountScene): void => {
    for (const connection of scene.exchange.exchange.connections)
      if (connection.feed === feed && isPrivate(connection)) connection.close(code, 'a fault')
  }
}

const FAULTS: readonly Readonly<{ name: string; inject: (scene: AccountScene) => unknown }>[] = [
  ...PICKED.flatMap((feed) =>
    (['drop', 'duplicate', 'swap', 'delay', 'malformed', 'binary'] as const).map((fault) => ({
      name: `${fault} on ${feed}`,
      inject: onFrames(fault, feed),
    })),
  ),
  { name: 'cuts of v1', inject: cut('v1', 1006) },
  { name: 'cuts of ws', inject: cut('ws', 1001) },
  {
    name: 'refused upgrades',
    inject: (scene) => {
      scene.exchange.exchange.faults.inject({ fault: 'refuse_private', reason: 'InvalidNonce' })
      cut('v1', 1006)(scene)
    },
  },
  {
    name: 'cuts of the database',
    inject: async (scene) =>
      await scene.rows(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'booktape account'`,
      ),
  },
]

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export type Address = Readonly<{ host: string; port: number }>

/** Listens for connections that must not come, and counts them. */
export async function countingListener(t: TestContext): Promise<Address & { accepted: () => number }> {
  let accepted = 0
  const address = await listen(t, (socket) => {
    accepted++
    socket.destroy()
  })
  return { ...address, accepted: () => accepted }
}

/** Takes connections and never says a word on them. `visited` resolves with the first. */
export async function silentListener(t: TestContext): Promise<Address & { visited: Promise<void> }> {
  const visited = Promise.withResolvers<void>()
  const address = await listen(t, () => visited.resolve())
  return { ...address, visited: visited.promise }
}

async function listen(t: TestContext, onSocket: (socket: Socket) => void): Promise<Address> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined)) // whoever came may leave in any way
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

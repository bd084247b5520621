import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/**
 * A TCP address at which nobody listens until `open`; from then on everything goes to the server behind it, until `fallSilent`
 * leaves the connections open and passes nothing on any more.
 */
export type LateServer = Readonly<{
  host: string
  port: number
  open(): Promise<void>
  close(): Promise<void>
  fallSilent(): void
}>

/** Of its own on Linux, where no outgoing connection of this machine takes a port of it meanwhile. */
const HOST = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1'

export async function lateServer(behind: Readonly<{ host: string; port: number }>): Promise<LateServer> {
  const port = await freePort()
  const sockets = new Set<Socket>()
  let server: Server | null = null
  return {
    host: HOST,
    port,
    open: async () => {
      server = createServer((near) => {
        const far = connect(behind.port, behind.host)
        for (const [from, to] of [
          [near, far],
          [far, near],
        ] as const) {
          sockets.add(from)
          from.pipe(to)
          from.on('error', () => to.destroy())
          from.on('close', () => {
            sockets.delete(from)
            to.destroy()
          })
        }
      }).listen(port, HOST)
      await once(server, 'listening')
    },
    fallSilent: () => {
      for (const socket of sockets) socket.unpipe()
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      const closing = server
      server = null
      if (closing === null) return
      await new Promise((resolve) => closing.close(resolve))
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

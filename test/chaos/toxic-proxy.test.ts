import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { ToxicProxy } from './toxic-proxy.ts'

/** A server that keeps what it gets, the proxy before it, and a client of the proxy. */
async function connected(t: TestContext) {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy = await ToxicProxy.listen(() => ({ host: '127.0.0.1', port }))
  const client = connect(proxy.address.port, proxy.address.host).on('error', () => undefined)
  t.after(async () => {
    client.destroy()
    await proxy.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  client.write('hello')
  const [far] = (await once(server, 'connection')) as [Socket]
  assert.equal(await read(far, 5), 'hello')
  return { proxy, client, far }
}

/** Whatever error comes before: `once` of node:events would throw it. */
const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve))

/** That many bytes of a socket, as text. */
async function read(socket: Socket, bytes: number): Promise<string> {
  let text = ''
  while (text.length < bytes) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    text += chunk.toString('latin1')
  }
  return text
}

test('a healthy proxy passes bytes both ways, and an end', async (t) => {
  const { client, far } = await connected(t)
  far.write('welcome')
  assert.equal(await read(client, 7), 'welcome')
  far.end()
  await once(client, 'end')
})

test('a slicer passes every byte in order', async (t) => {
  const { proxy, client, far } = await connected(t)
  proxy.sliceBytes = 1
  far.write('0123456789'.repeat(20))
  assert.equal(await read(client, 200), '0123456789'.repeat(20))
})

test('a stall keeps bytes until it is over', async (t) => {
  const { proxy, client, far } = await connected(t)
  proxy.isStalled = true
  far.write('late')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(client.bytesRead, 0)
  proxy.heal()
  assert.equal(await read(client, 4), 'late')
})

test('a cut resets both sides', async (t) => {
  const { proxy, client, far } = await connected(t)
  const ends = [closed(client), closed(far)]
  assert.equal(proxy.cut(), 1)
  await Promise.all(ends)
})

test('a blackhole swallows and says nothing, until one side hangs up', async (t) => {
  const { proxy, client, far } = await connected(t)
  assert.equal(proxy.blackhole(), 1)
  far.write('nobody hears this')
  assert.equal(proxy.unnoticed, 1)
  const farClosed = closed(far)
  client.destroy()
  await farClosed
  assert.deepEqual([client.bytesRead, proxy.unnoticed], [0, 0])
})

test('a refusing proxy resets whoever comes', async (t) => {
  const { proxy } = await connected(t)
  proxy.isRefusing = true
  const late = connect(proxy.address.port, proxy.address.host).on('error', () => undefined)
  await closed(late)
  assert.equal(late.bytesRead, 0)
})

test('of a COMMIT the server learns, and the client never reads the answer', async (t) => {
  const { proxy, client, far } = await connected(t)
  proxy.eatCommitReplies(1)
  const commit = 'Q\0\0\0\x0bcommit\0'
  const clientClosed = closed(client)
  client.write(commit)
  assert.equal(await read(far, commit.length), commit)
  far.write('C\0\0\0\x0bCOMMIT\0')
  await clientClosed
  assert.deepEqual([client.bytesRead, proxy.commitsEaten], [0, 1])
})

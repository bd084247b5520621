import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Witness } from './raw-peer.fixture.ts'
import { openSocket } from './socket.ts'

// Linux drops the SYN of whoever knocks at a listener whose queue is full: a host that swallows packets, without one.
const skip = process.platform === 'linux' ? false : 'a full queue drops SYNs on Linux only'
const SYN_SENT = '02' // /proc/net/tcp, column st

test('a dial whose packets nobody answers is refused at the deadline', { skip }, async (t) => {
  const port = await deafPort(t)
  const witness = new Witness()
  openSocket({
    url: `ws://127.0.0.1:${port}/`,
    clock: { wallNs: () => 0n },
    events: witness.events,
    limits: { dialDeadlineMs: 200 },
  })
  const waitingBefore = await waitingDials(port)
  await witness.sees('refused')
  assert.deepEqual(witness.lines, ['refused {"kind":"timeout"}'])
  assert.ok(waitingBefore >= 2, `${waitingBefore} dials without an answer`) // the one that showed it, and ours
})

/** A port that accepts nothing any more: its process is stuck, and the system's queue for it is full. */
async function deafPort(t: TestContext): Promise<number> {
  const program = `
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const child = spawn(process.execPath, ['--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(said.toString())
  const knocking: Socket[] = []
  t.after(() => {
    for (const socket of knocking) socket.destroy()
  })
  for (let i = 0; i < 8; i++) knocking.push(connect(port, '127.0.0.1').on('error', () => undefined))
  while ((await waitingDials(port)) === 0) await new Promise((resolve) => setImmediate(resolve))
  return port
}

async function waitingDials(port: number): Promise<number> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const table = await readFile('/proc/net/tcp', 'utf8')
  return table.split('\n').filter((row) => new RegExp(`^\\s*\\d+: \\S+ 0100007F:${hex} ${SYN_SENT} `).test(row)).length
}

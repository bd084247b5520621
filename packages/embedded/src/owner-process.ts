import { startEmbedded } from './start-embedded.ts'

// What the tests kill: a process that owns the Postgres in the directory it is given, and tells of it in one line.
const [directory] = process.argv.slice(2)
if (directory === undefined) throw new TypeError('name the directory')

const server = await startEmbedded({ directory, durable: false, ownerWaitMs: 0 })
console.log(JSON.stringify({ url: server.url, pid: server.pid() }))
process.stdin.resume() // lives until its standard input ends
process.stdin.once('end', () => void server.stop())

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { SHARED_SERVER_VARIABLE, temporaryServer } from './temporary-database.ts'

/**
 * Runs a command with one Postgres for all its test processes, and exits as the command did:
 *
 *   node with-postgres.ts node --test 'packages/*\/src/*.test.ts'
 */
const [command, ...args] = process.argv.slice(2)
if (command === undefined) {
  console.error('with-postgres: name the command to run')
  process.exit(64)
}

const server = await temporaryServer()
const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, [SHARED_SERVER_VARIABLE]: server.url } })

// The command decides when it ends; a signal is passed on, and Postgres stops after it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))

const code = await new Promise<number>((resolve) => {
  child.once('error', (error) => {
    console.error(`with-postgres: cannot run ${command}: ${error.message}`)
    resolve(127)
  })
  child.once('exit', (status, signal) => resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])))
})
await server.remove()
process.exit(code)

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

const OUTPUT = new URL('./log-output.ts', import.meta.url).href

/** Runs a few lines that log to `output`, on standard output, in a process of their own. */
function run(script: string): ReturnType<typeof spawn> {
  const program = `import { openLogOutput } from ${JSON.stringify(OUTPUT)}; const output = openLogOutput(1); ${script}`
  return spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function textOf(child: ReturnType<typeof spawn>): Promise<string> {
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await once(child, 'close')
  return text
}

test('lines arrive in order, also those written just before the exit', async () => {
  const child = run("for (let i = 0; i < 1000; i++) output.write(i + '\\n'); process.exit(3)")
  const expected = Array.from({ length: 1000 }, (_, i) => `${i}\n`).join('')
  assert.equal(await textOf(child), expected)
  assert.equal(child.exitCode, 3)
})

test('a reader that went away does not keep the process from writing on and ending', async () => {
  const child = run(`
    process.once('SIGTERM', () => {
      for (let i = 0; i < 10; i++) output.write('to nobody\\n')
      setImmediate(() => { output.write('to nobody\\n'); process.exit(3) })
    })
    const alive = setInterval(() => {}, 1000)
    output.write('ready\\n')`)
  assert.ok(child.stdout)
  await once(child.stdout, 'data')
  child.stdout.destroy()
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [3, null])
})

test('a reader that is too slow keeps nobody waiting, and learns how much it missed', async () => {
  const child = run("for (let i = 0; i < 10_000; i++) output.write('x'.repeat(1023) + '\\n')")
  const lines = (await textOf(child)).split('\n')
  assert.equal(lines.filter((line) => line.length === 1023).length, 8192) // 8 MiB of them
  assert.deepEqual(lines.slice(8192), [
    '{"level":"warn","droppedLines":1808,"msg":"log lines were dropped: nobody read them"}',
    '',
  ])
})

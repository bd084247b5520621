import { plantBug } from './plant-bug.ts'

// node hunt-bug.ts <name of a planted bug> <seed>…: prints the first of the seeds that finds it, or `not found`.
const [name = '', ...seeds] = process.argv.slice(2)
plantBug(name)
const { runSeed } = await import('./run-seed.ts')
let found = 'not found'
process.on('uncaughtException', (error) => end(`it crashed: ${error.message}`))
for (const seed of seeds) {
  const { violations } = await runSeed(Number(seed))
  const [first] = violations
  if (first === undefined) continue
  found = `seed ${seed}: ${first.text.split('\n')[0]}`
  break
}
end(found)

/** At once: a planted bug may leave things running. */
function end(text: string): never {
  process.stdout.write(`${text}\n`)
  process.exit()
}

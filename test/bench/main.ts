import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { AreaOrder } from './area-process.ts'
import { AREAS } from './areas.ts'
import { flameSvg } from './flame.ts'
import { type Area, type AreaResult, loadAverage } from './measure.ts'
import { pageWith, type Taken } from './page.ts'
import { areaText, smokeText, wrongOnes } from './report.ts'
import { readProfile, stagesOf, stagesText } from './stages.ts'

const USAGE = `npm run bench -- [area ...] [options]

areas: ${AREAS.map(({ name }) => name).join(', ')}; all of them when none is named

  --json            prints JSON instead of tables
  --out FILE        writes the JSON to a file as well
  --page FILE       puts the tables into a page such as docs/benchmarks.md
  --rounds N        rounds of each contestant (default 5)
  --seed N          of the workload (default 42)
  --smoke           tiny sizes and one round: is everything right, never how fast
  --profile DIR     keeps CPU profiles of the recorder in the areas pipeline, readers, outage and idle, and says where its time went; a picture beside each
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
    page: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seed: { type: 'string', default: '42' },
    smoke: { type: 'boolean', default: false },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const whole = (text: string): number => (/^\d{1,9}$/.test(text) ? Number(text) : Number.NaN)
const rounds = values.smoke ? 1 : whole(values.rounds)
const seed = whole(values.seed)
const unknown = positionals.filter((name) => !AREAS.some((area) => area.name === name))
if (values.help) say(USAGE)
else if (unknown.length > 0 || !(rounds >= 1) || !(seed >= 0)) {
  process.stderr.write(
    `${unknown.length > 0 ? `no such area: ${unknown.join(', ')}` : 'a whole number is needed'}\n\n${USAGE}`,
  )
  process.exitCode = 64
} else
  process.exitCode = await bench(AREAS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)))

async function bench(areas: readonly Area[]): Promise<number> {
  const results: Taken[] = []
  for (const area of areas) {
    const loadBefore = loadAverage()
    const result = { ...(await take(area)), loadBefore, loadAfter: loadAverage() }
    results.push(result)
    if (values.json) continue
    if (values.smoke) say(smokeText(result))
    else
      say(`${areaText(result)}  load average ${loadBefore.toFixed(2)} before, ${result.loadAfter.toFixed(2)} after\n`)
  }
  const json = JSON.stringify({ machine: machine(), rounds, seed, isSmoke: values.smoke, results }, null, 2)
  if (values.json) say(json)
  if (values.out !== undefined) await writeFile(values.out, `${json}\n`)
  if (values.page !== undefined) {
    await writeFile(values.page, pageWith(await readFile(values.page, 'utf8'), machine(), results))
  }
  if (values.profile !== undefined) await sayStages(values.profile)
  const wrong = wrongOnes(results)
  for (const contestant of wrong) process.stderr.write(`wrong result: ${contestant}\n`)
  return wrong.length === 0 ? 0 : 1
}

/** Where the time went, and a picture of it beside each profile. */
async function sayStages(directory: string): Promise<void> {
  for (const name of (await readdir(directory)).filter((file) => file.endsWith('.cpuprofile')).sort()) {
    const profile = await readProfile(join(directory, name))
    process.stderr.write(`${name}\n${stagesText(stagesOf(profile))}\n`)
    await writeFile(join(directory, `${basename(name, '.cpuprofile')}.svg`), flameSvg(profile, 'booktape record'))
  }
}

async function take({ name }: Area): Promise<AreaResult> {
  const order: AreaOrder = { area: name, isSmoke: values.smoke, rounds, seed, profileDirectory: values.profile ?? null }
  const child = fork(fileURLToPath(new URL('area-process.ts', import.meta.url)), [JSON.stringify(order)], {
    serialization: 'advanced', // a figure may be no number
  })
  const ended = once(child, 'exit')
  const failed = ended.then(([code, signal]: (number | string | null)[]): never => {
    throw new Error(`${name} was not measured: its process ended with ${signal ?? code}`)
  })
  const [result] = (await Promise.race([once(child, 'message'), failed])) as [AreaResult]
  failed.catch(() => undefined)
  await ended
  return result
}

function machine(): Readonly<Record<string, string | number>> {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    commit: commit(),
    date: new Date().toISOString(),
  }
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim()
  } catch {
    return 'unknown' // an archive without its history
  }
}

import { readFile } from 'node:fs/promises'

/** What `node --cpu-prof` writes, as far as it is read here. */
export type CpuProfile = Readonly<{
  nodes: readonly Readonly<{
    id: number
    callFrame: Readonly<{ functionName: string; url: string; lineNumber: number }>
    children?: readonly number[]
  }>[]
  samples: readonly number[]
  timeDeltas: readonly number[] // microseconds
}>

/** Where the time of a process went: by the part of booktape (or the package) that was at work, and by the function itself. */
export type Stages = Readonly<{
  busyMs: number // neither idle nor starting
  stages: readonly Readonly<{ name: string; share: number }>[]
  functions: readonly Readonly<{ name: string; share: number }>[]
}>

const SHOWN = 20
export const IDLE = '(idle)'
export const COLLECTOR = '(garbage collector)'
/** Loading modules is no part of recording. */
const START = /^node:internal\/(?:modules|process\/execution|bootstrap|vm)/

/** The stage of a stack is the innermost frame that is ours or a dependency's. */
export function stagesOf(profile: CpuProfile): Stages {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  )
  const stageOfNode = new Map<number, string>()
  const stageOf = (id: number): string => {
    const known = stageOfNode.get(id)
    if (known !== undefined) return known
    const frame = nodes.get(id)?.callFrame
    const parent = parents.get(id)
    const stage =
      frame === undefined ? 'unknown' : (ownStage(frame) ?? (parent === undefined ? 'node itself' : stageOf(parent)))
    stageOfNode.set(id, stage)
    return stage
  }
  const byStage = new Map<string, number>()
  const byFunction = new Map<string, number>()
  let busy = 0
  for (const [i, id] of profile.samples.entries()) {
    const stage = stageOf(id)
    const took = profile.timeDeltas[i] ?? 0
    if (stage === IDLE || stage === 'start') continue
    busy += took
    add(byStage, stage, took)
    const frame = nodes.get(id)?.callFrame
    if (frame !== undefined) add(byFunction, `${frame.functionName || 'anonymous'} (${placeOf(frame.url)})`, took)
  }
  const shares = (of: Map<string, number>): { name: string; share: number }[] =>
    [...of].map(([name, took]) => ({ name, share: took / busy })).sort((a, b) => b.share - a.share)
  return { busyMs: busy / 1e3, stages: shares(byStage), functions: shares(byFunction).slice(0, SHOWN) }
}

export async function readProfile(file: string): Promise<CpuProfile> {
  return JSON.parse(await readFile(file, 'utf8')) as CpuProfile
}

export function stagesText({ busyMs, stages, functions }: Stages): string {
  const line = ({ name, share }: { name: string; share: number }): string =>
    `  ${(share * 100).toFixed(1).padStart(5)} %  ${name}`
  return [
    `  ${(busyMs / 1e3).toFixed(2)} s of processor time in JavaScript, its start left out, by part:`,
    ...stages.map(line),
    '  and by function:',
    ...functions.map(line),
    '',
  ].join('\n')
}

/** The part that a frame belongs to; null for Node's own, which work for whoever called them. */
export function ownStage({ functionName, url }: CpuProfile['nodes'][number]['callFrame']): string | null {
  if (functionName === IDLE) return IDLE
  if (functionName === COLLECTOR) return 'garbage collector'
  if (START.test(url)) return 'start'
  const dependency = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(url)?.[1]
  if (dependency !== undefined) return dependency
  return /\/((?:packages|services)\/[^/]+)\//.exec(url)?.[1] ?? null
}

const placeOf = (url: string): string => (url === '' ? 'native' : url.split('/').slice(-3).join('/'))

function add(to: Map<string, number>, key: string, amount: number): void {
  to.set(key, (to.get(key) ?? 0) + amount)
}

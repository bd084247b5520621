import { COLLECTOR, type CpuProfile, IDLE, ownStage } from './stages.ts'

/** A function with what called it above, and how long it and all below it took, in microseconds. */
type Flame = { readonly name: string; readonly stage: string; took: number; readonly children: Map<string, Flame> }

const WIDTH = 1_200
const ROW = 16
const LETTER = 6.2 // of the monospace font below
/** Narrower than this nothing can be seen. */
const LEAST_WIDTH = 0.8
const COLOURS: Readonly<Record<string, string>> = {
  'packages/session': '#8fc7e8',
  'packages/store': '#f2b774',
  'packages/journal': '#b7d98a',
  'packages/book': '#e8a0bf',
  'packages/gemini': '#d5b3ec',
  'services/recorder': '#f4dd7e',
  'garbage collector': '#e07a6e',
}
const OTHER_COLOUR = '#d8d8d8'

/**
 * A CPU profile as a picture: what a function took is its width, who called it stands above it. Of Node's own functions only what
 * they took is shown, in whoever called them; idling and starting are left out.
 */
export function flameSvg(profile: CpuProfile, title: string): string {
  const root = flamesOf(profile)
  const rows: string[] = []
  const depth = draw(root, 0, 0, WIDTH / Math.max(root.took, 1), root.took, rows)
  const height = (depth + 2) * ROW
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="10">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="4" y="11">${escaped(`${title}: ${(root.took / 1e6).toFixed(2)} s of processor time`)}</text>`,
    ...rows,
    '</svg>\n',
  ].join('\n')
}

function flamesOf({ nodes, samples, timeDeltas }: CpuProfile): Flame {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const root = flame('all', 'all')
  for (const [i, id] of samples.entries()) {
    const took = timeDeltas[i] ?? 0
    const path: Flame[] = []
    let isShown = true
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const frame = byId.get(at)?.callFrame
      const stage = frame === undefined ? null : ownStage(frame)
      if (frame === undefined || stage === null) continue
      if (stage === IDLE || stage === 'start') isShown = false
      const name = frame.functionName === COLLECTOR ? stage : frame.functionName || 'anonymous'
      path.push(flame(name, stage))
    }
    if (!isShown) continue
    root.took += took
    let above = root
    for (const one of path.reverse()) {
      const key = `${one.stage} ${one.name}`
      const known = above.children.get(key)
      if (known === undefined) above.children.set(key, one)
      above = known ?? one
      above.took += took
    }
  }
  return root
}

const flame = (name: string, stage: string): Flame => ({ name, stage, took: 0, children: new Map() })

/** Draws what is below `above`, from `left` on; returns how deep it is. */
function draw(above: Flame, level: number, left: number, scale: number, all: number, rows: string[]): number {
  let deepest = level
  let at = left
  for (const child of [...above.children.values()].sort((a, b) => b.took - a.took)) {
    const width = child.took * scale
    if (width < LEAST_WIDTH) break
    const y = (level + 1) * ROW
    const { name, stage, took } = child
    const label = name.slice(0, Math.max(0, Math.floor((width - 6) / LETTER)))
    rows.push(
      `<g><title>${escaped(`${name} (${stage}) ${((took / all) * 100).toFixed(1)} %`)}</title>` +
        `<rect x="${at.toFixed(1)}" y="${y}" width="${(width - 0.4).toFixed(1)}" height="${ROW - 1}" fill="${COLOURS[stage] ?? OTHER_COLOUR}"/>` +
        `${label.length < 3 ? '' : `<text x="${(at + 3).toFixed(1)}" y="${y + 11}">${escaped(label)}</text>`}</g>`,
    )
    deepest = Math.max(deepest, draw(child, level + 1, at, scale, all, rows))
    at += width
  }
  return Math.max(deepest, above.children.size > 0 ? level + 1 : level)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

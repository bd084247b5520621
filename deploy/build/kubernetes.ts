import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// The manifests of each overlay as one file, checked in: what is applied can be read, and checked where no kubectl is. And the
// alerts as the Prometheus operator wants them.
//
//   node deploy/build/kubernetes.ts

export const KUBERNETES = fileURLToPath(new URL('../kubernetes', import.meta.url))

export const OVERLAYS = ['small', 'gemini'] as const
/** Beside any of them: the account, which has no recorder. */
export const ACCOUNT_OVERLAY = 'account'
export type Overlay = (typeof OVERLAYS)[number] | typeof ACCOUNT_OVERLAY

export const renderedFile = (overlay: Overlay): string => join(KUBERNETES, 'rendered', `${overlay}.yaml`)

export const RULES_MANIFEST = join(KUBERNETES, 'components/prometheus-operator/rules.yaml')

/** deploy/prometheus/booktape.rules.yml, whole, within a PrometheusRule. */
export function rulesManifest(): string {
  const rules = readFileSync(join(KUBERNETES, '../prometheus/booktape.rules.yml'), 'utf8')
  return `# node deploy/build/kubernetes.ts, of deploy/prometheus/booktape.rules.yml: not to be edited.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: booktape
  labels:
    app.kubernetes.io/name: booktape
spec:
${rules.replaceAll(/^(?=.)/gm, '  ')}`
}

/** What `kubectl kustomize` makes of an overlay under a line that names its sources; null where there is no kubectl. */
export function render(overlay: Overlay): string | null {
  const { status, stdout, stderr, error } = spawnSync('kubectl', ['kustomize', join(KUBERNETES, 'overlays', overlay)], {
    encoding: 'utf8',
  })
  if (error !== undefined) return null
  if (status !== 0 || stderr !== '') throw new Error(`kubectl kustomize of ${overlay} says: ${stderr}`)
  return `# node deploy/build/kubernetes.ts, of sources ${sourcesDigest()}: not to be edited.\n${stdout}`
}

/** Of everything that an overlay may be made of. Tells where no kubectl is whether the rendered files are of these sources. */
export function sourcesDigest(): string {
  const hash = createHash('sha256')
  for (const path of globSync('{base,components,overlays}/**/*.yaml', { cwd: KUBERNETES }).sort()) {
    hash.update(`${path}\n${readFileSync(join(KUBERNETES, path), 'utf8')}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}

if (import.meta.main) {
  mkdirSync(join(KUBERNETES, 'rendered'), { recursive: true })
  writeFileSync(RULES_MANIFEST, rulesManifest())
  for (const overlay of [...OVERLAYS, ACCOUNT_OVERLAY] as const) {
    const rendered = render(overlay)
    if (rendered === null) throw new Error('kubectl is not installed: it renders the overlays')
    writeFileSync(renderedFile(overlay), rendered)
    process.stdout.write(`${renderedFile(overlay)}\n`)
  }
}

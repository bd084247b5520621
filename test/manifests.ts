import { readFileSync } from 'node:fs'
import { invariant } from '@booktape/market'
import type { IStatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import type { IJob } from 'kubernetes-models/batch/v1/Job'
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap'
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec'
import { parseAllDocuments } from 'yaml'
import { type Overlay, renderedFile } from '../deploy/build/kubernetes.ts'

/** What every manifest has; the rest is by its kind. */
export type Manifest = Readonly<{ apiVersion: string; kind: string; metadata: Readonly<{ name: string }> }>

/** The rendered manifests of an overlay. @throws Error where the file is no YAML. */
export function manifestsOf(overlay: Overlay): readonly Manifest[] {
  return readManifests(readFileSync(renderedFile(overlay), 'utf8'))
}

export function readManifests(yaml: string): readonly Manifest[] {
  return parseAllDocuments(yaml).map((document): Manifest => {
    if ('errors' in document && document.errors.length > 0) throw new Error(String(document.errors[0]))
    return document.toJS() as Manifest
  })
}

/** The recorders, by line. */
export function recordersOf(manifests: readonly Manifest[]): ReadonlyMap<string, IStatefulSet> {
  const sets = ofKind<IStatefulSet>(manifests, 'StatefulSet')
  return new Map(sets.map((set) => [set.spec?.template.metadata?.labels?.['line'] ?? '', set]))
}

/** Every pod that is made, by the name of what makes it. */
export function podsOf(manifests: readonly Manifest[]): ReadonlyMap<string, IPodSpec> {
  const makers = [...ofKind<IStatefulSet>(manifests, 'StatefulSet'), ...ofKind<IJob>(manifests, 'Job')]
  return new Map(
    makers.map(({ metadata, spec }) => {
      const pod = spec?.template.spec
      invariant(pod !== undefined, `${metadata?.name} makes a pod`)
      return [metadata?.name ?? '', pod]
    }),
  )
}

/** The settings that all recorders of an overlay share. */
export function settingsOf(manifests: readonly Manifest[]): Readonly<Record<string, string>> {
  return ofKind<IConfigMap>(manifests, 'ConfigMap')[0]?.data ?? {}
}

const ofKind = <M>(manifests: readonly Manifest[], kind: string): M[] =>
  manifests.filter((manifest) => manifest.kind === kind) as unknown as M[]

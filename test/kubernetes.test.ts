import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readAccountConfig } from '@booktape/account'
import { readRecorderConfig } from '@booktape/recorder'
import {
  ACCOUNT_OVERLAY,
  OVERLAYS,
  RULES_MANIFEST,
  render,
  renderedFile,
  rulesManifest,
  sourcesDigest,
} from '../deploy/build/kubernetes.ts'
import { type Manifest, manifestsOf, podsOf, readManifests, recordersOf, settingsOf } from './manifests.ts'
import { restrictedViolations } from './pod-security.ts'

// deploy/kubernetes, as it is rendered and checked in.

const ROOT = fileURLToPath(new URL('..', import.meta.url))

for (const overlay of OVERLAYS) {
  describe(`the overlay ${overlay}`, () => {
    const manifests = manifestsOf(overlay)
    const text = readFileSync(renderedFile(overlay), 'utf8')

    test('is rendered from the sources of now', (t) => {
      assert.equal(/of sources (\w+)/.exec(text)?.[1], sourcesDigest(), 'run: node deploy/build/kubernetes.ts')
      const rendered = render(overlay)
      if (rendered === null) return t.diagnostic('no kubectl here: the digest alone was compared')
      assert.deepEqual(readManifests(rendered), manifests)
    })

    test('makes pods that a namespace takes which enforces "restricted"', () => {
      const pods = podsOf(manifests)
      assert.deepEqual([...pods.keys()].sort(), ['migrate', 'recorder-a', 'recorder-b'])
      assert.deepEqual(
        [...pods].flatMap(([name, pod]) => restrictedViolations(pod).map((violation) => `${name}: ${violation}`)),
        [],
      )
    })

    test('gives its pods nothing to write but the journal, no token, no secret in the environment, and bounds of memory', () => {
      for (const [name, pod] of podsOf(manifests)) {
        assert.equal(pod.automountServiceAccountToken, false, name)
        for (const container of pod.containers) {
          assert.equal(container.securityContext?.readOnlyRootFilesystem, true, name)
          const writable = (container.volumeMounts ?? []).filter(({ readOnly }) => readOnly !== true)
          assert.deepEqual(
            writable.map(({ mountPath }) => mountPath),
            name === 'migrate' ? [] : ['/data'],
          )
          for (const variable of container.env ?? []) {
            assert.equal(variable.valueFrom?.secretKeyRef, undefined, `${name} ${variable.name}`)
            assert.doesNotMatch(variable.value ?? '', /^postgres/)
          }
          assert.match(String(container.resources?.requests?.['memory']), /^\d+Mi$/)
          assert.match(String(container.resources?.limits?.['memory']), /^\d+Mi$/)
          assert.match(container.image ?? '', /^[^:]*booktape:(?!latest)[^:]+$/)
        }
      }
    })

    test('tells each recorder settings that it takes, as many shards as there are pods, and a journal that its volume holds', () => {
      const settings = settingsOf(manifests)
      for (const [line, { spec }] of recordersOf(manifests)) {
        const config = readRecorderConfig({ ...settings, BOOKTAPE_LINE: line, BOOKTAPE_SHARD: '0' })
        assert.equal(spec?.replicas, config.shards, line)
        const volume = spec?.volumeClaimTemplates?.[0]?.spec?.resources?.requests?.['storage']
        const [, gibibytes = ''] = /^(\d+)Gi$/.exec(String(volume)) ?? []
        assert.ok(Number(gibibytes) * 2 ** 30 > config.journalLimitBytes * 1.1, `${volume} for ${line}`)
      }
    })

    test('lets a pod wait for the other line, and then stop, before it is killed', () => {
      const recorders = recordersOf(manifests)
      assert.deepEqual([...recorders.keys()].sort(), ['a', 'b'])
      const stable = new Map<string, number>()
      for (const [line, { spec }] of recorders) {
        const other = line === 'a' ? 'b' : 'a'
        const pod = spec?.template.spec
        const [container] = pod?.containers ?? []
        const env = new Map((container?.env ?? []).map(({ name, value }) => [name, value]))
        assert.equal(
          env.get('BOOKTAPE_PEER_URL'),
          `http://recorder-${other}-$(BOOKTAPE_SHARD).recorder-${other}:9464/readyz`,
        )
        // A variable may only name those before it.
        const names = [...env.keys()]
        assert.ok(names.indexOf('BOOKTAPE_SHARD') < names.indexOf('BOOKTAPE_PEER_URL'))
        assert.deepEqual(container?.lifecycle?.preStop?.exec?.command, ['booktape', 'handover'])
        const patience = Number.parseInt(settingsOf(manifests)['BOOKTAPE_PEER_PATIENCE'] ?? '', 10)
        assert.ok((pod?.terminationGracePeriodSeconds ?? 0) >= patience + STOP_S, line)
        stable.set(line, Number.parseInt(env.get('BOOKTAPE_PEER_STABLE') ?? '', 10))
        // The one that waits must notice that the other is gone: its page says so at once, its process may take STOP_S to end.
        assert.ok((spec?.minReadySeconds ?? 0) > 0)
      }
      assert.ok((stable.get('b') ?? 0) > (stable.get('a') ?? 0) + STOP_S, 'both lines could stop at once')
    })

    test('asks of a pod what means something: pages that a recorder has, for as long as each may take', () => {
      for (const { spec } of recordersOf(manifests).values()) {
        const [container] = spec?.template.spec?.containers ?? []
        const { startupProbe, livenessProbe, readinessProbe } = container ?? {}
        assert.equal(startupProbe?.httpGet?.path, '/livez')
        assert.equal(livenessProbe?.httpGet?.path, '/livez')
        assert.equal(readinessProbe?.httpGet?.path, '/readyz')
        assert.ok((startupProbe?.periodSeconds ?? 0) * (startupProbe?.failureThreshold ?? 0) >= READING_A_JOURNAL_S)
        assert.ok((livenessProbe?.terminationGracePeriodSeconds ?? 0) > STOP_S, 'a hanging process is killed soon')
      }
    })
  })
}

describe('the account', () => {
  const manifests = manifestsOf(ACCOUNT_OVERLAY)
  const pod = podsOf(manifests).get('account')
  const [container] = pod?.containers ?? []
  const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]))

  test('is rendered from the sources of now', (t) => {
    const text = readFileSync(renderedFile(ACCOUNT_OVERLAY), 'utf8')
    assert.equal(/of sources (\w+)/.exec(text)?.[1], sourcesDigest(), 'run: node deploy/build/kubernetes.ts')
    const rendered = render(ACCOUNT_OVERLAY)
    if (rendered === null) return t.diagnostic('no kubectl here: the digest alone was compared')
    assert.deepEqual(readManifests(rendered), manifests)
  })

  test('is one pod that a namespace takes which enforces "restricted"', () => {
    assert.deepEqual([...podsOf(manifests).keys()], ['account'])
    assert.ok(pod !== undefined)
    assert.deepEqual(restrictedViolations(pod), [])
    assert.equal(container?.securityContext?.readOnlyRootFilesystem, true)
    assert.ok((pod.terminationGracePeriodSeconds ?? 0) > STOP_S)
  })

  test('has a secret of its own as files, which no recorder is given, and none in its environment', () => {
    const secretsOf = (each: typeof pod) => (each?.volumes ?? []).flatMap(({ secret }) => secret?.secretName ?? [])
    assert.deepEqual(secretsOf(pod), ['booktape-account'])
    for (const overlay of OVERLAYS)
      for (const each of podsOf(manifestsOf(overlay)).values()) assert.ok(!secretsOf(each).includes('booktape-account'))
    assert.ok((container?.env ?? []).every(({ valueFrom }) => valueFrom?.secretKeyRef === undefined))
    assert.ok(Object.keys(env).every((name) => !/KEY$|SECRET$|URL$/.test(name)))
  })

  test('is told settings that it takes, with its secrets where the files are', (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'booktape-account-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const [mount] = (container?.volumeMounts ?? []).filter(({ readOnly }) => readOnly === true)
    const files = Object.entries(env).map(([name, value = '']): [string, string] => {
      const isFile = name.endsWith('_FILE') && value.startsWith(`${mount?.mountPath}/`)
      const path = join(directory, name)
      if (isFile)
        writeFileSync(path, name.startsWith('DATABASE') ? 'postgres://a:b@127.0.0.1/c' : 'account-key', { mode: 0o600 })
      return [name, isFile ? path : value]
    })
    const config = readAccountConfig({ ...settingsOf(manifests), ...Object.fromEntries(files) })
    assert.deepEqual([config.feeds, config.nonceKind, config.venue], [['v1', 'ws'], 'time', 'gemini'])
    assert.equal(container?.ports?.[0]?.containerPort, config.httpPort)
  })
})

test('the operator of Prometheus gets the rules of now', () => {
  assert.equal(readFileSync(RULES_MANIFEST, 'utf8'), rulesManifest(), 'run: node deploy/build/kubernetes.ts')
  assert.equal(manifestsOf('gemini').filter(({ kind }) => kind === 'PrometheusRule').length, 1)
})

test('every manifest is of its kind, field by field and nothing more', (t) => {
  const manifests = ([...OVERLAYS, ACCOUNT_OVERLAY] as const).flatMap((overlay) => manifestsOf(overlay))
  assert.deepEqual(typeErrors(t, manifests), [])
})

test('a field that no schema has, and one of another type, are found', (t) => {
  const [recorder] = manifestsOf('small').filter(({ kind }) => kind === 'StatefulSet')
  assert.ok(recorder !== undefined)
  const altered = (from: string, to: string): Manifest =>
    JSON.parse(JSON.stringify(recorder).replace(from, to)) as Manifest
  const errors = (manifest: Manifest): string => typeErrors(t, [manifest]).join('\n')
  assert.match(errors(altered('"readOnlyRootFilesystem"', '"readonlyRootFilesystem"')), /readonlyRootFilesystem/)
  assert.match(errors(altered('"replicas":1', '"replicas":"1"')), /'string' is not assignable to type 'number'/)
})

// Each rule of pod-security.ts, broken once in a pod that keeps them all.
for (const [what, path, value, violation] of [
  ['the node’s network', ['hostNetwork'], true, "hostNetwork shares the node's"],
  ['the node’s files', ['volumes', '0', 'hostPath'], { path: '/' }, 'volume database is a hostPath'],
  ['root', ['securityContext', 'runAsUser'], 0, 'recorder is root'],
  ['perhaps root', ['securityContext', 'runAsNonRoot'], false, 'recorder may be root'],
  [
    'every system call',
    ['securityContext', 'seccompProfile', 'type'],
    'Unconfined',
    'recorder may use every system call',
  ],
  ['sysctls', ['securityContext', 'sysctls'], [{ name: 'a', value: 'b' }], 'sysctls are set'],
  ['an SELinux role', ['securityContext', 'seLinuxOptions'], { role: 'r' }, 'the pod chooses its SELinux label'],
  ['no AppArmor', ['securityContext', 'appArmorProfile'], { type: 'Unconfined' }, 'AppArmor is off'],
  ['privileges', ['containers', '0', 'securityContext', 'privileged'], true, 'recorder is privileged'],
  [
    'gaining privileges',
    ['containers', '0', 'securityContext', 'allowPrivilegeEscalation'],
    true,
    'recorder may gain privileges',
  ],
  ['capabilities', ['containers', '0', 'securityContext', 'capabilities', 'drop'], [], 'recorder keeps capabilities'],
  [
    'a capability',
    ['containers', '0', 'securityContext', 'capabilities', 'add'],
    ['SYS_ADMIN'],
    'recorder gets SYS_ADMIN',
  ],
  ['all of /proc', ['containers', '0', 'securityContext', 'procMount'], 'Unmasked', 'recorder sees all of /proc'],
  ['a port of the node', ['containers', '0', 'ports', '0', 'hostPort'], 80, 'recorder takes port 80 of the node'],
] as const) {
  test(`a pod with ${what} violates "restricted"`, () => {
    const pod = structuredClone(podsOf(manifestsOf('small')).get('recorder-a'))
    assert.ok(pod !== undefined)
    plant(pod, path, value)
    assert.deepEqual(restrictedViolations(pod), [violation])
  })
}

/** The contract's limit for a stop. */
const STOP_S = 25
/** A full journal of 20 GiB is not read at a start, only what follows the last checkpoint; a slow disk takes its time. */
const READING_A_JOURNAL_S = 600

/** Where the types of a kind stand. */
const MODELS: Readonly<Record<string, string>> = {
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
  'networking.k8s.io/v1': 'kubernetes-models/networking.k8s.io/v1',
}

/** Each manifest as a literal of its type: what the compiler says of them. */
function typeErrors(t: TestContext, manifests: readonly Manifest[]): string[] {
  const place = join(ROOT, 'test/node_modules/.manifests')
  mkdirSync(place, { recursive: true })
  const directory = mkdtempSync(join(place, 'run-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const sources = manifests.map((manifest, i) => {
    const { apiVersion, kind } = manifest
    const model = `${MODELS[apiVersion] ?? `kubernetes-models/${apiVersion}`}/${kind}`
    return `import type { I${kind} as Type${i} } from '${model}'\nexport const manifest${i}: Type${i} = ${JSON.stringify(manifest, null, 1)}\n`
  })
  writeFileSync(join(directory, 'manifests.ts'), sources.join('\n'))
  const options = { extends: join(ROOT, 'tsconfig.base.json'), files: ['manifests.ts'] }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(options))
  const { status, stdout } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', directory], { encoding: 'utf8' })
  assert.equal(status === 0, stdout === '')
  return stdout.split('\n').filter((line) => line !== '')
}

/** Sets one field, however deep, making what is missing on the way. */
function plant(target: object, path: readonly string[], value: unknown): void {
  const [name = '', ...rest] = path
  if (rest.length === 0) return void Reflect.set(target, name, value)
  if (!Reflect.has(target, name)) Reflect.set(target, name, {})
  plant(Reflect.get(target, name) as object, rest, value)
}

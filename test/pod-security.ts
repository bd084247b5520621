import type { IContainer } from 'kubernetes-models/v1/Container'
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec'

/**
 * What the Pod Security Standard "restricted" (which includes "baseline") has against a pod on Linux, each a sentence; none
 * when it may run in a namespace that enforces it. https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export function restrictedViolations(pod: IPodSpec): readonly string[] {
  const containers = [...pod.containers, ...(pod.initContainers ?? [])]
  return [...podViolations(pod), ...containers.flatMap((container) => [...containerViolations(container, pod)])]
}

/** Kinds of volumes that hold nothing of the node's. */
const VOLUMES: ReadonlySet<string> = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
])
const SECCOMP: ReadonlySet<string | undefined> = new Set(['RuntimeDefault', 'Localhost'])
const SELINUX: ReadonlySet<string | undefined> = new Set([
  undefined,
  'container_t',
  'container_init_t',
  'container_kvm_t',
  'container_engine_t',
])

function* podViolations(pod: IPodSpec): Iterable<string> {
  for (const shared of ['hostNetwork', 'hostPID', 'hostIPC'] as const) {
    if (pod[shared] === true) yield `${shared} shares the node's`
  }
  for (const { name, ...source } of pod.volumes ?? []) {
    for (const kind of Object.keys(source)) if (!VOLUMES.has(kind)) yield `volume ${name} is a ${kind}`
  }
  const security = pod.securityContext
  if ((security?.sysctls ?? []).length > 0) yield 'sysctls are set'
  if (security?.appArmorProfile?.type === 'Unconfined') yield 'AppArmor is off'
  if (security?.windowsOptions?.hostProcess === true) yield 'it is a process of the host'
  yield* seLinuxViolations('the pod', security?.seLinuxOptions)
}

function* containerViolations(container: IContainer, pod: IPodSpec): Iterable<string> {
  const { name, securityContext: own, ports = [] } = container
  const user = own?.runAsUser ?? pod.securityContext?.runAsUser
  if (own?.privileged === true) yield `${name} is privileged`
  if (own?.allowPrivilegeEscalation !== false) yield `${name} may gain privileges`
  if ((own?.runAsNonRoot ?? pod.securityContext?.runAsNonRoot) !== true) yield `${name} may be root`
  if (user === 0) yield `${name} is root`
  if (!SECCOMP.has((own?.seccompProfile ?? pod.securityContext?.seccompProfile)?.type)) {
    yield `${name} may use every system call`
  }
  if (own?.capabilities?.drop?.includes('ALL') !== true) yield `${name} keeps capabilities`
  for (const added of own?.capabilities?.add ?? []) if (added !== 'NET_BIND_SERVICE') yield `${name} gets ${added}`
  if (own?.procMount !== undefined && own.procMount !== 'Default') yield `${name} sees all of /proc`
  if (own?.appArmorProfile?.type === 'Unconfined') yield `${name} is without AppArmor`
  if (own?.windowsOptions?.hostProcess === true) yield `${name} is a process of the host`
  for (const { hostPort = 0 } of ports) if (hostPort !== 0) yield `${name} takes port ${hostPort} of the node`
  yield* seLinuxViolations(name, own?.seLinuxOptions)
}

function* seLinuxViolations(
  name: string,
  options: Readonly<{ type?: string; user?: string; role?: string }> = {},
): Iterable<string> {
  const { type, user, role } = options
  if (!SELINUX.has(type) || user !== undefined || role !== undefined) yield `${name} chooses its SELinux label`
}

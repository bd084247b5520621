import { type Clock, type Environment, readSettings, systemClock } from '@booktape/runtime'

/** What a pre-stop hook waits for. */
export type HandoverSettings = Readonly<{
  /** `/readyz` of the recorder of another line that has the same symbols; null where there is none. */
  peerUrl: string | null
  /** How long the peer must have been ready without a break. */
  stableMs: number
  /** After this the stop goes on, peer or none. */
  patienceMs: number
}>

/** The other line is not there to take over: stopping now leaves a gap. */
export class HandoverError extends Error {
  override name = 'HandoverError'
}

/**
 * `booktape handover`: what runs before a recorder is stopped, while it still records. Returns when the other line is ready,
 * so that no symbol is without a recorder. Two lines that are to stop at once must not both rely on each other: the one with
 * the longer BOOKTAPE_PEER_STABLE sees its peer go, and waits until it is back.
 *
 * @throws HandoverError when the peer did not become ready in time.
 */
export async function handoverFromEnvironment(): Promise<void> {
  await handover(readHandoverSettings(process.env), systemClock(), isReady)
}

export function readHandoverSettings(env: Environment): HandoverSettings {
  return readSettings(env, (read) => {
    const peerUrl = read.text('BOOKTAPE_PEER_URL', { default: null })
    if (peerUrl !== null && !/^https?:$/.test(URL.parse(peerUrl)?.protocol ?? '')) {
      read.problem('BOOKTAPE_PEER_URL must look like http://host:9464/readyz.')
    }
    const stableMs = read.duration('BOOKTAPE_PEER_STABLE', { default: 30_000 })
    const patienceMs = read.duration('BOOKTAPE_PEER_PATIENCE', { default: 240_000 })
    if (stableMs >= patienceMs && !read.hasProblem('BOOKTAPE_PEER_')) {
      read.problem('BOOKTAPE_PEER_STABLE must be shorter than BOOKTAPE_PEER_PATIENCE.')
    }
    return { peerUrl, stableMs, patienceMs }
  })
}

/** `ask` says whether a URL answers 200; never rejects. */
export async function handover(
  { peerUrl, stableMs, patienceMs }: HandoverSettings,
  clock: Clock,
  ask: (url: string) => Promise<boolean>,
): Promise<void> {
  if (peerUrl === null) return
  const elapsedMs = (sinceNs: bigint): number => Number((clock.monoNs() - sinceNs) / 1_000_000n)
  const beganNs = clock.monoNs()
  let readySinceNs: bigint | null = null
  for (;;) {
    const askedNs = clock.monoNs()
    readySinceNs = (await ask(peerUrl)) ? (readySinceNs ?? askedNs) : null
    if (readySinceNs !== null && elapsedMs(readySinceNs) >= stableMs) return
    if (elapsedMs(beganNs) >= patienceMs) {
      throw new HandoverError(
        `${peerUrl} was not ready for ${stableMs / 1_000} s within ${patienceMs / 1_000} s: stopping without it leaves a gap`,
      )
    }
    await clock.sleep(ASK_AGAIN_MS)
  }
}

/** Two lines that decide within this time of each other could both go: as short as costs nothing. */
const ASK_AGAIN_MS = 200
const ANSWER_PATIENCE_MS = 2_000

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_PATIENCE_MS) }).catch(() => null)
  await answer?.body?.cancel().catch(() => undefined)
  return answer?.status === 200
}

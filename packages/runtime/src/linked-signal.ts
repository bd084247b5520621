/**
 * A signal that is aborted as soon as one of several is. `release` when nobody waits on it any more.
 *
 * Not `AbortSignal.any`: that holds its signals weakly both ways, and in one simulated world of some hundred the composed signal
 * was not aborted with its source, depending on when memory was collected.
 */
export function linkSignals(...signals: readonly AbortSignal[]): Readonly<{ signal: AbortSignal; release(): void }> {
  const linked = new AbortController()
  const abort = (): void => linked.abort()
  for (const signal of signals) {
    if (signal.aborted) linked.abort()
    else signal.addEventListener('abort', abort, { once: true })
  }
  return {
    signal: linked.signal,
    release: () => signals.forEach((signal) => signal.removeEventListener('abort', abort)),
  }
}

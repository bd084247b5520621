import { type Entry, type Journal, JournalDamageError } from '@booktape/journal'
import type { CorridorEvent } from '@booktape/session'
import { readEntry } from './entries.ts'

/** An entry and what it means; no event for a kind that only a later version knows. */
export type Replayed = Readonly<{ position: number; wallNs: bigint; event: CorridorEvent | null }>

/**
 * The entries `from` to `to` again, in batches. Where some cannot be read, one `damaged` event stands for all of them, at the
 * last of their positions: the same in every replay, so that all replays agree. `onDamage` is told first, and may object.
 */
export async function* replay(
  journal: Journal,
  from: number,
  to: number,
  onDamage: (damage: JournalDamageError) => Promise<void>,
): AsyncGenerator<readonly Replayed[]> {
  let at = { wallNs: 0n, monoNs: 0n }
  let next = from
  while (next <= to) {
    try {
      for await (const entries of journal.read(next, to)) {
        yield entries.map(read)
        const last = entries.at(-1)
        if (last === undefined) continue
        at = { wallNs: last.wallNs, monoNs: last.monoNs }
        next = last.position + 1
      }
      return
    } catch (error) {
      if (!(error instanceof JournalDamageError)) throw error
      await onDamage(error)
      yield [{ position: error.resumesAt - 1, wallNs: at.wallNs, event: { kind: 'damaged', at } }]
      next = error.resumesAt
    }
  }
}

function read(entry: Entry): Replayed {
  return { position: entry.position, wallNs: entry.wallNs, event: readEntry(entry) }
}

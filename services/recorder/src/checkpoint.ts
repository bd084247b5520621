import { deserialize, serialize } from 'node:v8'
import type { Journal, JournalDamageError } from '@booktape/journal'
import { advance, type CorridorState, FROM_FIRST_ENTRY, newCorridorState, STATE_VERSION } from '@booktape/session'
import { replay } from './replay.ts'

/**
 * The state at a position of the journal: what a replay goes on from. `blankFrom`: an older state was, and is lost; this one began
 * empty after that position. Null where nothing is missing.
 */
export type Checkpoint = Readonly<{ position: number; state: CorridorState; blankFrom: number | null }>

/** Saves the state as it stands after `position`. The state is plain data, so its serialization is its checkpoint. */
export async function saveCheckpoint(journal: Journal, position: number, state: CorridorState): Promise<void> {
  await journal.writeCheckpoint(position, serialize({ version: STATE_VERSION, state }))
}

/**
 * The newest state at or before `position`; the empty state before the journal's first entry where there is none, or only ones
 * that an older version wrote. `isSuccessor`: another journal went before this one, and was lost.
 */
export async function loadCheckpoint(journal: Journal, position: number, isSuccessor = false): Promise<Checkpoint> {
  let before = position
  for (;;) {
    const found = await journal.newestCheckpoint(before)
    if (found === null) {
      // From the first entry of all nothing is missing; later, an older state is lost, and its books with it.
      const beginning = journal.firstPosition - 1
      const isBlank = beginning > 0 || isSuccessor
      const state = newCorridorState(isBlank ? FROM_FIRST_ENTRY : null)
      return { position: beginning, state, blankFrom: isBlank ? beginning : null }
    }
    const content = deserialize(found.bytes) as { version: number; state: CorridorState }
    if (content.version === STATE_VERSION) return { position: found.position, state: content.state, blankFrom: null }
    before = found.position - 1
  }
}

/**
 * Moves a checkpoint on to `to`, storing nothing: what it takes to stand at the end of the journal after a start. `damage`: the
 * positions from which entries could not be read; the state has taken that in.
 */
export async function fastForward(
  journal: Journal,
  from: Checkpoint,
  to: number,
): Promise<Checkpoint & Readonly<{ damage: ReadonlySet<number> }>> {
  const { state, blankFrom } = from
  let { position } = from
  const damage = new Set<number>()
  const remember = async ({ position: lost }: JournalDamageError): Promise<void> => void damage.add(lost)
  for await (const entries of replay(journal, position + 1, to, remember)) {
    for (const { position: reached, event } of entries) {
      if (event !== null) advance(state, event)
      position = reached
    }
  }
  return { position, state, blankFrom, damage }
}

import { deserialize, serialize } from 'node:v8'
import type { Journal } from '@booktape/journal'
import { advance, type CorridorState, newCorridorState, STATE_VERSION } from '@booktape/session'
import { readEntry } from './entries.ts'

/** The state at a position of the journal: what a replay goes on from. */
export type Checkpoint = Readonly<{ position: number; state: CorridorState }>

/** Saves the state as it stands after `position`. The state is plain data, so its serialization is its checkpoint. */
export async function saveCheckpoint(journal: Journal, position: number, state: CorridorState): Promise<void> {
  await journal.writeCheckpoint(position, serialize({ version: STATE_VERSION, state }))
}

/**
 * The newest state at or before `position`; the empty state before the journal's first entry where there is none, or only ones
 * that an older version wrote.
 */
export async function loadCheckpoint(journal: Journal, position: number): Promise<Checkpoint> {
  let before = position
  for (;;) {
    const found = await journal.newestCheckpoint(before)
    if (found === null) return { position: journal.firstPosition - 1, state: newCorridorState() }
    const content = deserialize(found.bytes) as { version: number; state: CorridorState }
    if (content.version === STATE_VERSION) return { position: found.position, state: content.state }
    before = found.position - 1
  }
}

/** Moves a checkpoint on to `to`, storing nothing: what it takes to stand at the end of the journal after a start. */
export async function fastForward(journal: Journal, from: Checkpoint, to: number): Promise<Checkpoint> {
  const { state } = from
  let { position } = from
  for await (const entries of journal.read(position + 1, to)) {
    for (const entry of entries) {
      const event = readEntry(entry)
      if (event !== null) advance(state, event)
      position = entry.position
    }
  }
  return { position, state }
}

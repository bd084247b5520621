/** One wrong line: in `file`, `right` (which stands there once) becomes `wrong`. `foundBy`: a seed that finds it. */
export type PlantedBug = Readonly<{ name: string; foundBy: number; file: string; right: string; wrong: string }>

const TRACK = 'packages/session/src/track.ts'
const SUBSCRIPTION = 'packages/session/src/subscription.ts'
const V1 = 'packages/session/src/v1-session.ts'
const WS = 'packages/session/src/ws-session.ts'
const CORRIDOR = 'packages/session/src/corridor.ts'
const SCRIBE = 'services/recorder/src/scribe.ts'
const GROUP_WRITER = 'packages/journal/src/group-writer.ts'

/**
 * Bugs that a recorder of this kind could have, each a line of production code made wrong while it is loaded
 * (`plant-bug.ts`). The simulation must find every one: what it did not find, it would not find when it is real.
 *
 * Some are left out, because nothing tells them from right code: an overlap taken for a gap (its updates
 * overlap nowhere but right after a snapshot, where they are stale), and a snapshot that is waited for without end (the next update
 * is no believable snapshot, and asks anew), a broken record that is read past (the chain breaks at every later one as well), trades that
 * are not stored while the book is unknown (REST gives them again), and a directory that is not synced when a segment begins (the
 * checkpoint of that very moment syncs it; `packages/journal/src/disk-faults.test.ts` asks for it by itself).
 */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'the book is not cleared when it is lost',
    foundBy: 1,
    file: TRACK,
    right: '    track.epoch = null\n    track.book = emptyBook()\n',
    wrong: '    track.epoch = null\n',
  },
  {
    name: 'a snapshot is merged into the book before it',
    foundBy: 1,
    file: TRACK,
    right: '  track.book = bookFromLevels(snapshot.changes)\n',
    wrong:
      '  for (const { side, price, quantity } of snapshot.changes) applyChange(track.book, side, price, quantity)\n' +
      '  track.book = { bids: { ...track.book.bids }, asks: { ...track.book.asks } }\n' +
      "  if (track.gapCount > 0) applyChange(track.book, 'bid', '0.00001' as never, '1' as never)\n",
  },
  {
    name: 'a gap in the chain is taken for the next update',
    foundBy: 3,
    file: 'packages/session/src/continuity.ts',
    right: "  return 'gap'\n",
    wrong: "  return 'next'\n",
  },
  {
    name: 'a stale update is applied again',
    foundBy: 1,
    file: 'packages/session/src/continuity.ts',
    right: "  if (update.lastUpdateId <= lastUpdateId) return 'stale'\n",
    wrong: "  if (update.lastUpdateId < lastUpdateId) return 'stale'\n",
  },
  {
    name: 'no gap is opened for a book that is lost',
    foundBy: 2,
    file: TRACK,
    right: '  if (track.gaps.book === null) {\n',
    wrong: '  if (track.gaps.book === null && track.epoch !== null) {\n',
  },
  {
    name: 'the end of an epoch is not stored',
    foundBy: 2,
    file: TRACK,
    right: "    step.records.push({\n      kind: 'epoch_ended',",
    wrong: "    ;[].push({\n      kind: 'epoch_ended',",
  },
  {
    name: 'a gap is withdrawn though the id moved on',
    foundBy: 3,
    file: TRACK,
    right: "  if (track.feed === 'ws' && gap.fromId === updateId) {",
    wrong: "  if (track.feed === 'ws' && gap.fromId !== null && gap.fromId <= updateId) {",
  },
  {
    name: 'a gap is closed one id too early',
    foundBy: 2,
    file: TRACK,
    right: 'updateId < gap.fromId ? null : updateId,',
    wrong: 'updateId < gap.fromId ? null : updateId - 1n,',
  },
  {
    name: 'the last change of a message is forgotten',
    foundBy: 1,
    file: TRACK,
    right: '  for (const { side, price, quantity } of update.changes) {\n',
    wrong: '  for (const { side, price, quantity } of update.changes.slice(0, 3)) {\n',
  },
  {
    name: 'a message of several changes is stored without its last one',
    foundBy: 1,
    file: TRACK,
    right: '    changes: update.changes,\n',
    wrong: '    changes: update.changes.slice(0, 4),\n',
  },
  {
    name: 'update ids are off by one',
    foundBy: 1,
    file: TRACK,
    right: '    lastUpdateId: update.lastUpdateId,\n',
    wrong: '    lastUpdateId: update.lastUpdateId + 1n,\n',
  },
  {
    name: 'a removed level stays in the book',
    foundBy: 1,
    file: 'packages/book/src/order-book.ts',
    right: "    prices.splice(at, 1)\n    quantities.splice(at, 1)\n    return 'removed'\n",
    wrong: "    return 'removed'\n",
  },
  {
    name: 'prices are compared as texts',
    foundBy: 1,
    file: 'packages/market/src/decimal.ts',
    right: '  if (digits !== 0) return digits\n  return a < b',
    wrong: '  return a < b',
  },
  {
    name: 'quantities pass through a float on their way to the database',
    foundBy: 1,
    file: TRACK,
    right: '    changes: update.changes,\n',
    wrong:
      '    changes: update.changes.map((it) => ({ ...it, quantity: String(Math.round(Number(it.quantity))) as never })),\n',
  },
  {
    name: 'heartbeats do not count in the sequence of v1',
    foundBy: 1,
    file: V1,
    right: '  session.expectedSequence++\n',
    wrong: "  if (message.kind !== 'heartbeat') session.expectedSequence++\n",
  },
  {
    name: 'the sequence of v1 is not looked at',
    foundBy: 1,
    file: V1,
    right: '  if (message.sequence !== session.expectedSequence) {',
    wrong: '  if (message.sequence === null) {',
  },
  {
    name: 'the silence of v1 is not noticed',
    foundBy: 16,
    file: V1,
    right: '  if (at.monoNs - link.heard.monoNs > msToNs(V1_SILENCE_MS)) {',
    wrong: '  if (at.monoNs < link.heard.monoNs) {',
  },
  {
    name: 'the silence of the new API is not noticed',
    foundBy: 13,
    file: WS,
    right: '  if (at.monoNs - link.heard.monoNs > msToNs(WS_SILENCE_MS)) {',
    wrong: '  if (at.monoNs < link.heard.monoNs) {',
  },
  {
    name: 'a message that cannot be read is passed over on v1',
    foundBy: 2,
    file: V1,
    right:
      "  if (message === null) return hangUp(session, 'malformed', event.at, 'a message could not be read', run, step)\n",
    wrong: '  if (message === null) {\n    session.expectedSequence++\n    return\n  }\n',
  },
  {
    name: 'a delta is taken for the snapshot',
    foundBy: 1,
    file: SUBSCRIPTION,
    right: '  if (update.firstUpdateId === update.lastUpdateId) return true\n',
    wrong: '  if (update.firstUpdateId <= update.lastUpdateId) return true\n',
  },
  {
    name: 'frames of the old subscription are taken for the new one',
    foundBy: 8,
    file: SUBSCRIPTION,
    right: "    case 'live':\n      return onDelta(",
    wrong: "    case 'live':\n    case 'unsubscribing':\n    case 'backing_off':\n      return onDelta(",
  },
  {
    name: 'a restart says nothing of what was open',
    foundBy: 1,
    file: CORRIDOR,
    right: "  abandonAll(state, 'restart', at, step)\n",
    wrong: '',
  },
  {
    name: 'the scribe takes a lost reply for a commit',
    foundBy: 1,
    file: SCRIBE,
    right: "      if (result.outcome !== 'retry') {\n",
    wrong: "      if (result.outcome !== 'retry' || result.class === 'connection_lost') {\n",
  },
  {
    name: 'the scribe gives a batch up after one try',
    foundBy: 10,
    file: SCRIBE,
    right: "      if (result.outcome !== 'retry') {\n",
    wrong: "      if (result.outcome !== 'retry' || attempt > 1) {\n",
  },
  {
    name: 'the scribe begins at the start of the journal again',
    foundBy: 1,
    file: SCRIBE,
    right: '          if (replayed <= written && !isSaidAgain) continue\n',
    wrong: '          if (replayed + 3 <= written && !isSaidAgain) continue\n',
  },
  {
    name: 'the scribe loses the entry at the hand-over to the live edge',
    foundBy: 1,
    file: SCRIBE,
    right: '        this.#waiting.unshift(...batch)\n',
    wrong: '        this.#waiting.unshift(...batch.slice(0, -1))\n',
  },
  {
    name: 'the scribe drops what waited while a batch was written',
    foundBy: 1,
    file: SCRIBE,
    right: '    this.#waiting.splice(0, count)\n',
    wrong: '    this.#waiting.splice(0)\n',
  },
  {
    name: 'the journal does not sync',
    foundBy: 1,
    file: GROUP_WRITER,
    right: '      await this.#file.sync()\n',
    wrong: '',
  },
  {
    name: 'the journal goes on after a failed sync',
    foundBy: 1,
    file: GROUP_WRITER,
    right: "      throw new JournalError('SYNC_FAILED',",
    wrong: "      if (this.syncedPosition < 0) throw new JournalError('SYNC_FAILED',",
  },
  {
    name: 'the journal takes a short write for a whole one',
    foundBy: 1,
    file: 'packages/journal/src/disk.ts',
    right: '    written += count\n',
    wrong: '    written += bytes.length\n',
  },
  {
    name: 'the journal announces entries before they are durable',
    foundBy: 1,
    file: GROUP_WRITER,
    right: '      try {\n        await this.#write(group)\n',
    wrong:
      '      try {\n        this.onSynced(group.entries)\n        this.onSynced = () => undefined\n        await this.#write(group)\n',
  },
  {
    name: 'a checkpoint is saved under the position before it',
    foundBy: 4,
    file: 'services/recorder/src/corridor.ts',
    right: 'saveCheckpoint(this.#journal, this.#position, this.#state)',
    wrong: 'saveCheckpoint(this.#journal, Math.max(0, this.#position - 1), this.#state)',
  },
  {
    name: 'the taker of a trade is told the wrong way round',
    foundBy: 1,
    file: 'packages/gemini/src/decode-ws.ts',
    right: "'sell' : 'buy'",
    wrong: "'buy' : 'sell'",
  },
]

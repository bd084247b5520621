/** One wrong line: in `file`, `right` (which stands there once) becomes `wrong`. `foundBy`: a seed that finds it. */
export type PlantedBug = Readonly<{ name: string; foundBy: number; file: string; right: string; wrong: string }>

const TRACK = 'packages/session/src/track.ts'
const SUBSCRIPTION = 'packages/session/src/subscription.ts'
const V1 = 'packages/session/src/v1-session.ts'
const WS = 'packages/session/src/ws-session.ts'
const ROTATION = 'packages/session/src/rotation.ts'
const CORRIDOR = 'packages/session/src/corridor.ts'
const SCRIBE = 'services/recorder/src/scribe.ts'
const GROUP_WRITER = 'packages/journal/src/group-writer.ts'

/**
 * Bugs that a recorder of this kind could have, each a line of production code made wrong while it is loaded
 * (`plant-bug.ts`). The simulation must find every one: what it did not find, it would not find when it is real.
 *
 * Some are left out, because nothing tells them from right code: an overlap taken for a gap (its updates
 * overlap nowhere but right after a snapshot, where they are stale), and a snapshot that is waited for without end (the next update
 * is no believable snapshot, and asks anew), a broken record that is read past (the chain breaks at every later one as well), and trades
 * that are not stored while the book is unknown (REST gives them again), and a scribe that believes a batch stored which is not (the next
 * one does not fit the position, and the journal gives both again).
 */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'the book is not cleared when it is lost',
    foundBy: 1,
    file: TRACK,
    right: '    track.book = emptyBook()\n    step.observations.push',
    wrong: '    step.observations.push',
  },
  {
    name: 'a snapshot is merged into the book before it',
    foundBy: 1,
    file: TRACK,
    right: '  track.book = bookFromLevels(snapshot.changes)\n',
    wrong:
      '  for (const { side, price, quantity } of snapshot.changes) applyChange(track.book, side, price, quantity)\n' +
      '  track.book = { bids: { ...track.book.bids }, asks: { ...track.book.asks } }\n' +
      "  if (track.levelsBefore !== null) applyChange(track.book, 'bid', '0.00001' as never, '1' as never)\n",
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
    foundBy: 6,
    file: TRACK,
    right: '  if (track.gaps.book === null) {\n',
    wrong: '  if (track.gaps.book === null && track.epoch !== null) {\n',
  },
  {
    name: 'the end of an epoch is not stored',
    foundBy: 1,
    file: TRACK,
    right: "    step.records.push({\n      kind: 'epoch_ended',",
    wrong: "    ;[].push({\n      kind: 'epoch_ended',",
  },
  {
    name: 'a gap is withdrawn though the id moved on',
    foundBy: 1,
    file: TRACK,
    right: "  if (track.feed === 'ws' && gap.fromId === updateId) {",
    wrong: "  if (track.feed === 'ws' && gap.fromId !== null && gap.fromId <= updateId) {",
  },
  {
    name: 'a gap is closed one id too early',
    foundBy: 1,
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
    file: 'packages/book/src/number-side.ts',
    right:
      '    closeAt(keys, at, length)\n    closeAt(quantities, at, length)\n' +
      "    side.length--\n    return 'removed'\n",
    wrong: "    return 'removed'\n",
  },
  {
    name: 'a level that is there is not found in the book',
    foundBy: 1,
    file: 'packages/book/src/number-side.ts',
    right: '    if ((keys[middle] as number) < key) low = middle + 1\n',
    wrong: '    if ((keys[middle] as number) <= key) low = middle + 1\n',
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
    foundBy: 2,
    file: V1,
    right: '  if (at.monoNs - link.heard.monoNs > msToNs(V1_SILENCE_MS)) {',
    wrong: '  if (at.monoNs < link.heard.monoNs) {',
  },
  {
    name: 'the silence of the new API is not noticed',
    foundBy: 4,
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
    foundBy: 13,
    file: SUBSCRIPTION,
    right: '  const hasRange = update.firstUpdateId !== update.lastUpdateId\n',
    wrong: '  const hasRange = update.firstUpdateId > update.lastUpdateId\n',
  },
  {
    name: 'frames of the old subscription are taken for the new one',
    foundBy: 1,
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
    name: 'the scribe begins at the start of the journal again',
    foundBy: 1,
    file: SCRIBE,
    right: '          if (replayed <= written && !isSaidAgain) continue\n',
    wrong: '          if (replayed + 3 <= written && !isSaidAgain) continue\n',
  },
  {
    name: 'the scribe loses what it replayed at the hand-over to the live edge',
    foundBy: 1,
    file: SCRIBE,
    right: '        this.#waiting = [batch]\n',
    wrong: '        this.#waiting = [this.#newWaiting()]\n',
  },
  {
    name: 'the scribe drops what waited while a batch was written',
    foundBy: 1,
    file: SCRIBE,
    right: '    this.#waiting.shift()\n',
    wrong: '    this.#waiting = []\n',
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
    foundBy: 11,
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
  {
    name: 'a lost connection opens no gap of trades',
    foundBy: 1,
    file: WS,
    right: '    loseTrades(subscription.track, cause, link.heard.wallNs, run.runId, step)\n    subscriptions.onEnded(',
    wrong: '    subscriptions.onEnded(',
  },
  {
    name: 'a gap of trades is filled with nothing',
    foundBy: 4,
    file: 'packages/session/src/trade-repair.ts',
    right: '  step.records.push(...tradeRecords(event.symbol, trades, event.at.wallNs))\n',
    wrong: '',
  },
  {
    name: 'a rotation closes the old connection before the new one is live',
    foundBy: 5,
    file: ROTATION,
    right: '  if (current === null) return beginWhenDue(rotation, sessions, at, run)\n',
    wrong:
      '  if (current === null) {\n' +
      '    beginWhenDue(rotation, sessions, at, run)\n' +
      "    const old = sessions.get(rotation.current?.from ?? '')\n" +
      "    if (old?.link.phase === 'open') step.orders.push({ kind: 'hang_up', connection: old.link.connection })\n" +
      '    return\n' +
      '  }\n',
  },
  {
    name: 'the directory is not synced when a segment begins',
    foundBy: 18,
    file: GROUP_WRITER,
    right: '      if (group.opens !== null) await this.#disk.syncDirectory(this.#directory)\n',
    wrong: '',
  },
  {
    name: 'the live edge begins anew on the checkpoint that storage has not',
    foundBy: 13,
    file: SCRIBE,
    right: 'forgetCheckpointsAfter(checkpoint.position - 1)',
    wrong: 'forgetCheckpointsAfter(checkpoint.position)',
  },
  {
    name: 'the directory is not synced after a kill',
    foundBy: 2120,
    file: 'packages/journal/src/recovery.ts',
    right: '    await disk.syncDirectory(directory) // the same',
    wrong: '    // the same',
  },
]

import type { Feed } from '@booktape/market'
import { type CheckedBook, checkedBooks, checkedMessages, type EpochToVerify } from '@booktape/store'
import type { PoolClient } from 'pg'
import { BookCheck } from './book-check.ts'
import type { Finding } from './finding.ts'
import { alteredBook, bookFinding, chainFinding, epochFinding, runFinding } from './sentences.ts'

/** What was looked at. `unbuilt`: messages that no whole book stands before, so that only their checksums and ids were checked. */
export type Checked = { rows: number; changes: number; books: number; unbuilt: number; bytes: number }

/** Rebuilds one epoch's book and checks every message and every whole book of it. Yields what is wrong, a page at a time. */
export async function* verifyEpoch(
  client: PoolClient,
  epoch: EpochToVerify,
  checked: Checked,
): AsyncGenerator<readonly Finding[]> {
  const check = new BookCheck(epoch.feed as Feed, epoch.holes)
  const books = new Ahead(checkedBooks(client, epoch.range))
  await books.next()
  if (epoch.ledger === null && !epoch.isRefused) {
    yield [epochFinding(epoch, null, 'messages or whole books are stored of it, and it is not there itself')]
  }
  for await (const runs of checkedMessages(client, epoch.range)) {
    const findings: Finding[] = []
    for (const run of runs) {
      checked.rows += run.isSettled ? run.messages.length : 1
      checked.bytes += run.bytes
      if (run.flaw !== null) findings.push(runFinding(run, epoch))
      if (run.flaw === 'checksum' || run.flaw === 'unreadable') {
        await takeBooksBefore(run.firstSeq, findings)
        check.distrust()
        // A whole book within it is followed by messages that nothing is known of.
        await takeBooksBefore(run.lastSeq, findings, false)
        continue
      }
      for (const message of run.messages) {
        if (books.head !== null && books.head.snapshot.messageSeq < message.messageSeq)
          await takeBooksBefore(message.messageSeq, findings)
        checked.changes += message.changes.length
        const problem = check.message(message)
        if (problem !== null) findings.push(chainFinding(epoch, run.receivedTime, problem))
      }
    }
    yield findings
  }
  const last: Finding[] = []
  await takeBooksBefore(Number.POSITIVE_INFINITY, last)
  const end = epoch.ledger?.lastUpdateId ?? null
  if (end !== null && check.lastUpdateId !== null && end !== check.lastUpdateId) {
    last.push(
      epochFinding(
        epoch,
        null,
        `it says that it ended at update id ${end}, and what is stored of it ends at ${check.lastUpdateId}`,
      ),
    )
  }
  yield last
  checked.books += check.compared
  checked.unbuilt += check.unbuilt

  /** A book stands after the message of its number. */
  async function takeBooksBefore(seq: number | bigint, findings: Finding[], isBuiltOn = true): Promise<void> {
    for (; books.head !== null && books.head.snapshot.messageSeq < seq; await books.next()) {
      const book = books.head
      checked.rows++
      checked.bytes += book.bytes
      if (book.isAltered) findings.push(alteredBook(book))
      else if (isBuiltOn) {
        const problem = check.book(book.snapshot) ?? beginsOtherwise(book, epoch)
        if (problem !== null) findings.push(bookFinding(book, problem))
      }
    }
  }
}

function beginsOtherwise({ snapshot, receivedTime }: CheckedBook, { ledger }: EpochToVerify): string | null {
  if (ledger === null || snapshot.reason !== 'initial') return null
  if (snapshot.updateId === ledger.firstUpdateId && receivedTime === ledger.startedAt) return null
  return `it begins its epoch at update id ${snapshot.updateId}, ${receivedTime}, and the epoch says ${ledger.firstUpdateId}, ${ledger.startedAt}`
}

/** A stream of pages, of which one item is always at hand: looking at it costs no promise. */
class Ahead<Item> {
  head: Item | null = null
  readonly #pages: AsyncGenerator<readonly Item[]>
  #page: readonly Item[] = []
  #at = 0

  constructor(pages: AsyncGenerator<readonly Item[]>) {
    this.#pages = pages
  }

  async next(): Promise<void> {
    while (this.#at === this.#page.length) {
      const page = await this.#pages.next()
      if (page.done === true) {
        this.head = null
        return
      }
      this.#page = page.value
      this.#at = 0
    }
    this.head = this.#page[this.#at++] as Item
  }
}

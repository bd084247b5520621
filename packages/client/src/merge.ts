/**
 * Several ordered streams as one: always the event that comes first, of equal ones that of the stream named first. Within a stream the
 * order stays as it is, also where its instants go back. Pages in, pages out, so that an event costs no promise.
 */
export async function* merge<Event>(
  streams: readonly AsyncGenerator<readonly Event[]>[],
  instantOf: (event: Event) => bigint,
): AsyncGenerator<readonly Event[]> {
  const heads = streams.map((stream): Head<Event> => ({ stream, page: [], at: 0, instant: null }))
  try {
    for (const head of heads) await refill(head, instantOf)
    for (;;) {
      const page: Event[] = []
      let empty: Head<Event> | null = null
      while (empty === null) {
        const first = earliest(heads)
        if (first === null) break
        page.push(first.page[first.at++] as Event)
        const next = first.page[first.at]
        if (next === undefined) empty = first
        else first.instant = instantOf(next)
      }
      if (page.length > 0) yield page
      if (empty === null) return
      await refill(empty, instantOf)
    }
  } finally {
    for (const { stream } of heads) await stream.return(undefined)
  }
}

type Head<Event> = {
  readonly stream: AsyncGenerator<readonly Event[]>
  page: readonly Event[]
  at: number
  instant: bigint | null // null: the stream has ended
}

async function refill<Event>(head: Head<Event>, instantOf: (event: Event) => bigint): Promise<void> {
  head.at = 0
  head.instant = null
  for (;;) {
    const next = await head.stream.next()
    if (next.done === true) return
    const [first] = next.value
    if (first === undefined) continue
    head.page = next.value
    head.instant = instantOf(first)
    return
  }
}

function earliest<Event>(heads: readonly Head<Event>[]): Head<Event> | null {
  let first: Head<Event> | null = null
  for (const head of heads) {
    if (head.instant !== null && (first === null || first.instant === null || head.instant < first.instant))
      first = head
  }
  return first
}

/** The paces at which the new WebSocket API gathers changes. */
export type Pace = '100ms' | '1s'
export type PartialDepth = 5 | 10 | 20

/** One stream of one symbol on the new WebSocket API. */
export type Stream =
  | Readonly<{ kind: 'bookTicker' }>
  | Readonly<{ kind: 'trade' }>
  | Readonly<{ kind: 'depth'; pace: Pace }>
  | Readonly<{ kind: 'partial'; levels: PartialDepth; pace: Pace }>

/** The part of a stream's name after the symbol. */
export function streamName(stream: Stream): string {
  switch (stream.kind) {
    case 'bookTicker':
      return 'bookTicker'
    case 'trade':
      return 'trade'
    case 'depth':
      return stream.pace === '100ms' ? 'depth@100ms' : 'depth'
    case 'partial':
      return stream.pace === '100ms' ? `depth${stream.levels}@100ms` : `depth${stream.levels}`
  }
}

/** Every stream a symbol has. */
export const STREAMS: readonly Stream[] = [
  { kind: 'bookTicker' },
  { kind: 'trade' },
  { kind: 'depth', pace: '100ms' },
  { kind: 'depth', pace: '1s' },
  ...([5, 10, 20] as const).flatMap((levels) => [
    { kind: 'partial', levels, pace: '100ms' } as const,
    { kind: 'partial', levels, pace: '1s' } as const,
  ]),
]

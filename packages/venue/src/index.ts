export { Connection, MAX_WAITING_FRAMES, type Surroundings } from './connection.ts'
export {
  type Closing,
  type Delivery,
  FRAME_KINDS,
  type Frame,
  type FrameFilter,
  type FrameKind,
  type OutgoingFrame,
  type Refusal,
} from './frames.ts'
export type { BookLevels, Levels } from './levels.ts'
export { FEW_UNSENT_BYTES, MAX_UNSENT_BYTES } from './line.ts'
export { errorAnswer, refusalFor, unknownSymbol } from './refusals.ts'
export { type RestAnswer, type RestMarket, type RestTrade, restAnswer, type SymbolDetails } from './rest.ts'
export { type ServedVenue, startVenueServer, type VenueServer } from './server.ts'
export { type Pace, STREAMS, type Stream, streamName } from './streams.ts'
export { readV1Options, V1Connection, type V1Options } from './v1-connection.ts'
export type { V1Change, V1Event, V1Filter, V1Trade } from './v1-message.ts'
export {
  readSnapshotLevels,
  type WsAccountStream,
  type WsChannel,
  WsConnection,
  type WsVenue,
} from './ws-connection.ts'
export { wsDepth, wsPartialDepth, wsTicker, wsTrade } from './ws-message.ts'

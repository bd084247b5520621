export type { Connection, RestAnswer, V1Connection, WsConnection } from '@booktape/venue'
export {
  type Closing,
  FRAME_KINDS,
  type Frame,
  type FrameKind,
  MAX_WAITING_FRAMES,
  type Refusal,
} from '@booktape/venue'
export { type ApiKey, type Role, SIMULATED_KEYS } from './api-keys.ts'
export { type ExchangeCommandOptions, runExchange } from './command.ts'
export { Exchange, type ExchangeOptions, type TrueChange, type Truth } from './exchange.ts'
export { FaultPlan, type Injected, MAX_ARMED_FAULTS } from './fault-plan.ts'
export { FAULT_NAMES, FAULTS, type FaultName, type FaultRequest, readFaultRequest } from './faults.ts'
export { type BookText, MAX_REMEMBERED_CHANGES } from './history.ts'
export { MAX_REMEMBERED_QUOTES, type TrueQuote } from './instant-quotes.ts'
export { MAX_REMEMBERED_TRADES } from './market.ts'
export { type ExchangeServer, type ExchangeServerOptions, startExchangeServer } from './server.ts'
export { presetOf, SYMBOL_PRESETS, type SymbolSpec } from './symbols.ts'

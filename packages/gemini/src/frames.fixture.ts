import { decodeWs, type WsMessage } from './decode-ws.ts'

/** A frame's text as the socket gives it. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function readWs(text: string): WsMessage {
  return decodeWs(bytesOf(text))
}

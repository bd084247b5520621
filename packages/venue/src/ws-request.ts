/** A request of a ws client; `idText` is its id as JSON, so that it comes back with the type it had. */
export type WsRequest = Readonly<{ idText: string; method: string; params: unknown }>

export type WsErrorCode = -1000 | -1002 | -1003 | -1013 | -1020

const STATUS: Readonly<Record<WsErrorCode, number>> = {
  [-1000]: 500,
  [-1002]: 401,
  [-1003]: 429,
  [-1013]: 400,
  [-1020]: 400,
}

/** Reads a request; a string is what its client gets told. Methods come in either case. */
export function readWsRequest(text: string): WsRequest | string {
  const request = parse(text)
  if (request === null) return 'Invalid request'
  const { id, method, params } = request
  if (typeof id !== 'string' && !Number.isSafeInteger(id)) return 'Invalid request id'
  if (typeof method !== 'string') return 'Missing method'
  return { idText: JSON.stringify(id), method: method.toLowerCase(), params }
}

/** `fields` stands beside id and status, as `"result":[]`; most successes have none. */
export function wsSuccess(idText: string, fields = ''): string {
  return `{"id":${idText},"status":200${fields === '' ? '' : `,${fields}`}}`
}

export function wsError(idText: string, code: WsErrorCode, message: string): string {
  return `{"id":${idText},"status":${STATUS[code]},"error":{"code":${code},"msg":${JSON.stringify(message)}}}`
}

function parse(text: string): Partial<Record<'id' | 'method' | 'params', unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null
  } catch {
    return null // what a client sends is its own affair; it gets an error answer
  }
}

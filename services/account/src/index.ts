export { NonceStore } from './nonce-store.ts'
export { PrivateClient } from './private-client.ts'

export type { Client } from "./client.ts"
export { EventLogClient, type EventLogClientOptions } from "./EventLogClient.ts"
export { fromSocketUnencrypted, layerSocketUnencrypted, layerWebSocketUnencrypted } from "./EventLogRemote.ts"
export {
  type ClientError,
  type ClientFailure,
  type ClientMethod,
  ConnectionFailure,
  CryptoUnavailable,
  RemoteRefusal,
  RemoteRetired
} from "./errors.ts"
export {
  generateIdentity,
  IdentityError,
  type IdentityOptions,
  type IdentityStorage,
  layerIdentity,
  loadIdentity
} from "./identity.ts"
export type { ClientOptions, Rejection } from "./options.ts"
export { deriveSigningKey, type SigningKey } from "./signing.ts"
export type { ClientStatus } from "./status.ts"
export type { WebSocketClass, WebSocketOptions } from "./webSocket.ts"

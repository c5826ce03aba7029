export type { Client } from "./client.ts"
export { EventLogClient, type EventLogClientOptions } from "./EventLogClient.ts"
export { fromSocketUnencrypted, layerSocketUnencrypted, layerWebSocketUnencrypted } from "./EventLogRemote.ts"
export { ConnectionFailure, CryptoUnavailable, RemoteRefusal, RemoteRetired } from "./errors.ts"
export { generateIdentity, IdentityError, layerIdentity, loadIdentity } from "./identity.ts"
export { DeviceJournal } from "./journal/DeviceJournal.ts"
export { type JournalIndexedDbOptions, layerJournalIndexedDb } from "./journal/journalIndexedDb.ts"
export type { ClientOptions, Rejection } from "./options.ts"
export { Quarantine, type QuarantineOptions } from "./quarantine/Quarantine.ts"
export {
  memoryQuarantine,
  type QuarantineChange,
  type QuarantineContent,
  type QuarantinedEntry,
  type QuarantineStorage
} from "./quarantine/QuarantineStorage.ts"
export { quarantineIndexedDb } from "./quarantine/quarantineIndexedDb.ts"
export type { QuarantineSummary } from "./quarantine/Ward.ts"
export { deriveSigningKey, type SigningKey } from "./signing.ts"
export type { ClientStatus } from "./status.ts"
export { statusChanges } from "./statusChanges.ts"
export type { WebSocketOptions } from "./webSocket.ts"

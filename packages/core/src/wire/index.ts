export { changesMessage, changesPrefix } from "./changes.ts"
export { ChunkError, ChunkJoiner, chunkBytes, chunkOverheadBytes, splitMessage } from "./chunks.ts"
export {
  DecodeError,
  decodeRequestUnencrypted,
  decodeResponseUnencrypted,
  encodeRequestUnencrypted,
  encodeResponseUnencrypted,
  requestBounds
} from "./codec.ts"
export { type Correlation, type DomainError, RequestError, reasons, toErrorFrame } from "./errors.ts"
export { entryBytes } from "./fields.ts"
export { type AnnouncedLimits, announcedLimits, defaultLimits, type Limits } from "./limits.ts"
export {
  Ack,
  Authenticate,
  Authenticated,
  CaughtUp,
  Changes,
  ChunkedMessage,
  ErrorCode,
  ErrorReason,
  ErrorUnencrypted,
  Hello,
  Ping,
  Pong,
  ProtocolRequestUnencrypted,
  ProtocolResponseUnencrypted,
  RequestChanges,
  StopChanges,
  Subscribed,
  subprotocol,
  WriteEntries
} from "./messages.ts"
export { encodeRemoteEntries } from "./remoteEntries.ts"

/**
 * What an adapter needs: the server as something that is mounted, the transport that it hands over, and the rules that are the
 * same in every framework.
 */

export type { ConnectionInfo, RefusalStatus } from "./connection/connections.ts"
export type { ProtocolName } from "./connection/protocol.ts"
export type { Transport, TransportListener } from "./connection/Transport.ts"
export { aFunction, aText, checkOptions, type Expectations, required, withHint } from "./options/index.ts"
export type { Endpoint } from "./server/endpoints.ts"
export { allowedOriginsExpectation, mountableExpectation } from "./server/expectedMount.ts"
export type { Mountable } from "./server/mountable.ts"
export { type AllowedOrigins, isOriginAllowed } from "./server/origin.ts"
export {
  type ShownWebSocketOptions,
  type WebSocketOptions,
  webSocketOptions,
  webSocketWarning
} from "./server/webSocketOptions.ts"
export type { Limits } from "./wire/limits.ts"
export { subprotocol, upgradeRequired } from "./wire/messages.ts"

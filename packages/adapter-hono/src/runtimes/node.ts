import { type Limits, type ShownWebSocketOptions, webSocketWarning } from "@eventlog-server/core/adapter"

/** On Node the websocket server comes with each request that asks for an upgrade; other runtimes show none. */
export interface NodeBindings {
  readonly wss?: { readonly options?: ShownWebSocketOptions }
}

/** What to know of a server on Node: how its websocket server falls short. */
export const nodeWarning = (limits: Limits, bindings: NodeBindings | undefined): string | undefined =>
  webSocketWarning(limits, bindings?.wss?.options)

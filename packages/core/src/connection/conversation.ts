import type { Effect, Fiber } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { StorageError } from "../backend/StorageError.ts"
import type { Feed } from "../feed/feed.ts"
import type { Ingest } from "../ingest/ingest.ts"
import type { DomainError } from "../wire/errors.ts"
import type { Limits } from "../wire/limits.ts"
import type { ErrorCode } from "../wire/messages.ts"
import type { Access } from "./access.ts"
import type { Inbound } from "./inbound.ts"
import type { Transport } from "./Transport.ts"

/** The protocols that connections may speak: our own (`docs/wire-protocol.md`), and the RPC of effect's own client. */
export type ProtocolName = "eventlog" | "rpc"

/** What the conversations of a server share, whatever protocol they are held in. */
export interface ConversationServices {
  readonly access: Access["Service"]
  readonly feed: Feed["Service"]
  readonly ingest: Ingest["Service"]
  readonly limits: Limits
  readonly sessionAuth: "required" | "off"
  readonly remoteId: Effect.Effect<EventJournal.RemoteId, StorageError>
  readonly now: () => number
  /** Called for every refusal that a client is told of. */
  readonly onRejected: (code: ErrorCode) => void
  /** Called with how many entries were encoded: once each, however many subscribers there are. */
  readonly onEncoded: (entries: number) => void
}

/** A connection, as its conversation sees it. */
export interface Peer {
  readonly transport: Transport
  readonly inbound: Inbound
  /** Runs in the server's scope, not the connection's: what was begun is finished. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly close: (code: number, reason: string) => void
  readonly isEnded: () => boolean
  readonly isClosing: () => boolean
}

/** What a protocol makes of one connection: frames become requests, and their outcomes frames. */
export interface Conversation {
  /** Bytes that the peer may have unhandled now. One that has proved no key is allowed less. */
  readonly maxInboundBytes: number
  /** Whether everything that was accepted is answered, and the answers are on their way. */
  readonly isIdle: boolean
  readonly subscriptionCount: number
  /** Gets to know the server, and tells the peer where the protocol wants that. Nothing is handled before. */
  readonly greet: Effect.Effect<void>
  /** Handles one frame. It fails never: whatever is wrong with it is answered, or closes the connection. */
  readonly handleFrame: (frame: Uint8Array) => Effect.Effect<void>
  /** Asks the peer for a sign of life, where the protocol has a way to. */
  readonly ask: () => void
  /** Ends every subscription, and lets none begin. */
  readonly end: () => void
  /** The connection is gone: nothing is sent any more. */
  readonly hangUp: () => void
  /** Whether the connection proved a key, or has a subscription for it. */
  readonly uses: (publicKey: string) => boolean
  /** Whether a subscription reads the store. */
  readonly reads: (storeId: string) => boolean
  /** Whether the peer was greeted with another id: what it knows of this server is of an earlier history. */
  readonly isOutdated: (remoteId: EventJournal.RemoteId) => boolean
  /** Asks again whether the connection's keys, or one of them, may still do what they were granted. */
  readonly reauthorize: (only?: string | undefined) => Effect.Effect<void>
  /** The access of a key changed: what is just being granted to it is not. */
  readonly accessChanged: (publicKey: string) => void
  /** Ends what a key was granted on this connection, and says why where it had a subscription. */
  readonly revoke: (publicKey: string, error: DomainError) => void
}

/** A protocol that a server speaks. */
export interface Protocol {
  /** The limits of its connections. */
  readonly limits: Limits
  readonly converse: (peer: Peer) => Conversation
}

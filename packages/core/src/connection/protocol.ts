import type { Cause, Effect, Fiber, Result } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Sink } from "../feed/sink.ts"
import type { ChunkError } from "../wire/chunks.ts"
import type { DomainError } from "../wire/errors.ts"
import type { Limits } from "../wire/limits.ts"
import type { ChunkedMessage, ErrorCode } from "../wire/messages.ts"
import type { Account, Holding } from "./Account.ts"
import type { Grants } from "./Grants.ts"
import type { Outflow } from "./Outflow.ts"
import type { ActiveSubscription, Subscriptions } from "./Subscriptions.ts"

/** The protocols that connections may speak: our own (`docs/wire-protocol.md`), and the RPC of effect's own client. */
export type ProtocolName = "eventlog" | "rpc"

/** What came in on a connection, and what it holds until it is let go of. */
export interface Frame {
  readonly bytes: Uint8Array
  readonly holding: Holding
}

/** A connection, as the protocol on it sees it: the server and what may be granted are known before it begins. */
export interface Peer {
  readonly remoteId: EventJournal.RemoteId
  readonly account: Account
  readonly grants: Grants
  readonly outflow: Outflow
  readonly subscriptions: Subscriptions
  /** Whether nothing is sent any more. */
  readonly isEnded: boolean
  /** Whether the server closes: nothing new is granted. */
  readonly isClosing: boolean
  /** Runs in the server's scope, not the connection's: what was begun is finished. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly close: (code: number, reason: string) => void
  /** Takes a part of a message that comes in chunks, and returns the message when it was the last one. */
  readonly join: (part: typeof ChunkedMessage.Type) => Result.Result<Frame | undefined, ChunkError>
}

/** What the conversations of a server share, whatever protocol they are held in. */
export interface ProtocolServices {
  readonly limits: Limits
  readonly now: () => number
  /** Over how many milliseconds devices spread that lose this server now, and not by a close; 0 where they are few. */
  readonly reconnectWithin: () => number
  /** Called for every refusal that a client is told of. */
  readonly onRejected: (code: ErrorCode, error: DomainError, publicKey: string | undefined) => void
  /** Called with how many entries were encoded: once each, however many subscribers there are. */
  readonly onEncoded: (entries: number) => void
}

/** A protocol on one connection. */
export interface Conversation {
  /** Says what a server says first. It may begin when it is read: what it returns is run once, at once. */
  readonly start: Effect.Effect<void>
  /**
   * Handles one frame, and sees to it that its holding is let go of. It fails never: whatever is wrong with the frame is
   * told to the peer, or closes the connection. It may begin when it is called: what it returns is run once, at once.
   */
  readonly receive: (frame: Frame) => Effect.Effect<void>
  /** Asks the peer for a sign of life, or that it has read up to `end`, where the protocol has a way to. */
  readonly ask: (end?: number | undefined) => void
  /** A subscription stands: tells the peer, and returns where its entries go. */
  readonly begin: (subscription: ActiveSubscription, head: number) => Sink
  /** Tells the peer why a subscription was taken from it. */
  readonly refuse: (subscription: ActiveSubscription, cause: Cause.Cause<DomainError>) => void
}

/** A protocol that a server speaks. */
export interface Protocol {
  /** The limits of its connections. */
  readonly limits: Limits
  readonly converse: (peer: Peer) => Conversation
  /**
   * What is kept of a frame that is bigger than a connection may send which has proved no key; nothing closes it.
   * @default nothing
   */
  readonly shrink?: ((frame: Uint8Array) => Uint8Array | undefined) | undefined
}

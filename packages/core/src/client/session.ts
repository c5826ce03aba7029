import { Deferred, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { partBytesFor } from "../wire/chunks.ts"
import {
  type Ack,
  type AnnouncedLimits,
  type Authenticated,
  type CaughtUp,
  type Changes,
  defaultLimits,
  type ErrorUnencrypted,
  type Hello,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted,
  type Subscribed
} from "../wire/index.ts"
import type { ConnectionFailure } from "./errors.ts"
import { SendWindow, type WindowSize } from "./sendWindow.ts"

/** What answers a request. */
export type Answer =
  | typeof Ack.Type
  | typeof Authenticated.Type
  | typeof Subscribed.Type
  | typeof Changes.Type
  | typeof CaughtUp.Type
  | ErrorUnencrypted

/** Where the answers to one request go. No member may throw. */
export interface Route {
  readonly answer: (answer: Answer) => void
  /** The session ended; nothing more comes. */
  readonly ended: (failure: ConnectionFailure) => void
}

/** An `Authenticate` has no id of its own; there is one at a time. */
type RouteKey = number | "Authenticate"

const outboundBytes = 4 * 1024 * 1024

/**
 * Half of what the server holds for a connection leaves room for what it has answered and we don't know of yet, and for all
 * that is no write: proofs, subscriptions, signs of life.
 */
const windowOf = (limits: AnnouncedLimits): WindowSize => ({
  requests: limits.maxPendingWrites,
  bytes: Math.min(outboundBytes, limits.maxInboundBytes / 2),
  frames: (limits.maxInboundFrames ?? defaultLimits.maxInboundFrames) / 2,
  frameBytes: partBytesFor(limits)
})

/**
 * One connection from its `Hello` to its end: matches answers to requests, and keeps what is true of this connection
 * only (the server's limits, the challenge, the keys that were proved).
 *
 * Whatever a request waits for ends with the session, with a `ConnectionFailure`: requests go on with the next one.
 */
export class Session {
  readonly remoteId: EventJournal.RemoteId
  readonly limits: AnnouncedLimits
  /** Whether the server wants keys to be proved. */
  readonly wantsProof: boolean
  /** Over how many milliseconds clients spread that lose this server together, as it said last. */
  reconnectWithin: number
  /** How much may be written before an answer. */
  readonly window: SendWindow
  /** Fails when the session ended. */
  readonly ended = Deferred.makeUnsafe<never, ConnectionFailure>()
  /** Set with each message that arrives. Whoever watches over the connection clears it. */
  heard = true

  readonly #send: (message: ProtocolRequestUnencrypted) => void
  readonly #routes = new Map<RouteKey, Route>()
  #challenge: Uint8Array | undefined
  #challenged: (() => void) | undefined
  #failure: ConnectionFailure | undefined
  #lastId = 0

  constructor(hello: typeof Hello.Type, send: (message: ProtocolRequestUnencrypted) => void) {
    this.remoteId = hello.remoteId
    this.limits = hello.limits
    this.reconnectWithin = hello.reconnectWithin ?? 0
    this.wantsProof = hello.challenge !== undefined
    this.window = new SendWindow(windowOf(hello.limits))
    this.#challenge = hello.challenge
    this.#send = send
  }

  /** Whether it hasn't ended. */
  get live(): boolean {
    return this.#failure === undefined
  }

  /** Sends a message, unless the session ended. */
  send(message: ProtocolRequestUnencrypted): void {
    if (this.#failure === undefined) this.#send(message)
  }

  /** Asks the server for a sign of life. */
  ping(): void {
    this.send({ _tag: "Ping", id: ++this.#lastId })
  }

  /** Sends the request that `make` gives for a new id; its answers go to `route` until `close` is called. */
  open(make: (id: number) => ProtocolRequestUnencrypted, route: Route): number {
    const id = ++this.#lastId
    this.#open(id, make(id), route)
    return id
  }

  /** The same for an `Authenticate`, of which only one may be open. */
  openProof(message: ProtocolRequestUnencrypted, route: Route): void {
    this.#open("Authenticate", message, route)
  }

  /** Drops a route: answers that still come are ignored. */
  close(key: RouteKey): void {
    this.#routes.delete(key)
  }

  /** Takes the challenge, which is then used up, or waits for the next one. One caller at a time. */
  readonly takeChallenge: Effect.Effect<Uint8Array, ConnectionFailure> = Effect.raceFirst(
    Effect.callback<Uint8Array>((resume) => {
      const take = () => {
        if (this.#challenge === undefined) return
        const challenge = this.#challenge
        this.#challenge = undefined
        this.#challenged = undefined
        resume(Effect.succeed(challenge))
      }
      this.#challenged = take
      take()
      return Effect.sync(() => {
        this.#challenged = undefined
      })
    }),
    Deferred.await(this.ended)
  )

  /** Gives a challenge back that may not have been used up, unless there is a newer one. */
  returnChallenge(challenge: Uint8Array): void {
    if (this.#challenge === undefined) this.#renewChallenge(challenge)
  }

  /** Handles a message of the server. */
  receive(message: ProtocolResponseUnencrypted): void {
    switch (message._tag) {
      case "Hello":
        this.reconnectWithin = message.reconnectWithin ?? this.reconnectWithin
        return this.#renewChallenge(message.challenge)
      case "Pong":
        this.reconnectWithin = message.reconnectWithin ?? this.reconnectWithin
        return
      case "Ping":
        return this.send({ _tag: "Pong", id: message.id })
      case "Authenticated":
        this.#renewChallenge(message.challenge)
        return this.#routes.get("Authenticate")?.answer(message)
      case "Error":
        return this.#routes
          .get(message.requestTag === "Authenticate" ? "Authenticate" : (message.id ?? -1))
          ?.answer(message)
      case "Ack":
        return this.#routes.get(message.id)?.answer(message)
      case "Subscribed":
      case "Changes":
      case "CaughtUp":
        // Only the id tells the frames of a replaced subscription from those of the one that replaced it.
        return this.#routes.get(message.id ?? -1)?.answer(message)
    }
  }

  /** Ends the session: every open request hears of it, nothing is sent any more. Later calls do nothing. */
  end(failure: ConnectionFailure): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    Deferred.doneUnsafe(this.ended, Effect.fail(failure))
    const routes = [...this.#routes.values()]
    this.#routes.clear()
    for (const route of routes) route.ended(failure)
  }

  #open(key: RouteKey, message: ProtocolRequestUnencrypted, route: Route): void {
    if (this.#failure !== undefined) return route.ended(this.#failure)
    this.#routes.set(key, route)
    this.#send(message)
  }

  #renewChallenge(challenge: Uint8Array | undefined): void {
    if (challenge === undefined) return
    this.#challenge = challenge
    this.#challenged?.()
  }
}

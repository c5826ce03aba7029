import { Clock, Context, Duration, Effect, FiberSet, Layer, Metric, Schedule } from "effect"
import { FeedStore } from "../backend/FeedStore.ts"
import { Feed } from "../feed/feed.ts"
import { Ingest } from "../ingest/ingest.ts"
import { RequestError } from "../wire/errors.ts"
import type { Limits } from "../wire/limits.ts"
import { ErrorCode } from "../wire/messages.ts"
import { Access } from "./access.ts"
import type { Connection } from "./CurrentConnection.ts"
import type { ConversationServices, Protocol, ProtocolName } from "./conversation.ts"
import * as metrics from "./metrics.ts"
import { Session, type SessionServices } from "./session.ts"
import type { Transport, TransportListener } from "./Transport.ts"

/** What a connection is opened with. */
export type ConnectionInfo = Omit<Connection, "id">

/** Which connections are meant: those that use a key, or those that read a store. */
export type Selector = { readonly publicKey: string } | { readonly storeId: string }

/** Refused requests since the start, by the code of their `Error`. */
export type Rejected = Readonly<Record<ErrorCode, number>>

/** How the sessions of a server behave. */
export interface SessionsOptions {
  readonly limits: Limits
  readonly sessionAuth: "required" | "off"
  /** How often live subscriptions and proved keys are checked again, and whether the backend got a new id. */
  readonly reauthorizeInterval: Duration.Duration
  /** After how much silence a peer is asked for a sign of life. */
  readonly pingInterval: Duration.Duration
  /** How long after that it is given up. */
  readonly pingTimeout: Duration.Duration
  /** How long a drain waits for a connection to take what is queued for it. */
  readonly drainTimeout: Duration.Duration
}

/** The connections of this node. */
export class Sessions extends Context.Service<
  Sessions,
  {
    /** Opens a session on a connection, at once: frames that come before it is greeted wait. */
    readonly connect: (transport: Transport, info: ConnectionInfo, protocol: ProtocolName) => TransportListener
    /** Closes the selected connections and answers how many. They may come back. */
    readonly disconnect: (selector: Selector) => number
    /** Ends what a key was granted on every connection of this node. */
    readonly revoke: (publicKey: string) => void
    /** Checks at once, on every connection of this node, what a key was granted: its binding may have changed. */
    readonly recheck: (publicKey: string) => Effect.Effect<void>
    /** Refuses new connections and requests, answers what was accepted, closes with 1012. */
    readonly drain: Effect.Effect<void>
    readonly stats: () => { readonly connections: number; readonly subscriptions: number; readonly rejected: Rejected }
  }
>()("@eventlog-server/core/Sessions") {}

const rejectedByCode = Object.fromEntries(
  ErrorCode.literals.map((code) => [code, Metric.withAttributes(metrics.rejectedRequests, { code })])
) as Record<ErrorCode, Metric.Counter<number>>

/** Connections that are re-authorized at the same time: enough to hide latency, too few to flood a database. */
const reauthorizeConcurrency = 16

/** How a protocol is spoken, given what its conversations share. */
export type Protocols = Readonly<Record<ProtocolName, (services: ConversationServices) => Protocol>>

/** The session room. */
export const layerSessions = (
  options: SessionsOptions,
  makeProtocols: Protocols
): Layer.Layer<Sessions, never, Access | Feed | FeedStore | Ingest> =>
  Layer.effect(
    Sessions,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const context = yield* Effect.context()
      const store = yield* FeedStore
      const run = yield* FiberSet.makeRuntime()
      const sessions = new Set<Session>()
      const rejected = Object.fromEntries(ErrorCode.literals.map((code) => [code, 0])) as Record<ErrorCode, number>
      let nextId = 1
      let closing = false

      const services: SessionServices = { now: () => clock.currentTimeMillisUnsafe(), run }
      const conversationServices: ConversationServices = {
        access: yield* Access,
        feed: yield* Feed,
        ingest: yield* Ingest,
        limits: options.limits,
        sessionAuth: options.sessionAuth,
        remoteId: store.id,
        now: services.now,
        onEncoded: (entries) => metrics.encodedEntries.updateUnsafe(entries, context),
        onRejected: (code) => {
          rejected[code]++
          rejectedByCode[code].updateUnsafe(1, context)
        }
      }
      const protocols: Readonly<Record<ProtocolName, Protocol>> = {
        eventlog: makeProtocols.eventlog(conversationServices),
        rpc: makeProtocols.rpc(conversationServices)
      }

      const subscriptions = () => {
        let count = 0
        for (const session of sessions) count += session.conversation.subscriptionCount
        return count
      }

      const ended = (session: Session) => {
        sessions.delete(session)
        metrics.connections.updateUnsafe(sessions.size, context)
      }

      const connect = (transport: Transport, info: ConnectionInfo, name: ProtocolName): TransportListener => {
        const connection = { ...info, id: String(nextId++) }
        const session = new Session(transport, connection, protocols[name], services, ended)
        sessions.add(session)
        metrics.connections.updateUnsafe(sessions.size, context)
        if (closing) session.close(1012, "The server restarts")
        else if (sessions.size > options.limits.maxConnections) session.close(1013, "Too many connections")
        else session.open()
        return session
      }

      const disconnect = (selector: Selector): number => {
        const selected = [...sessions].filter(({ conversation }) =>
          "publicKey" in selector ? conversation.uses(selector.publicKey) : conversation.reads(selector.storeId)
        )
        for (const session of selected) session.close(1008, "Disconnected by the server")
        return selected.length
      }

      const revoke = (publicKey: string) => {
        // Also where the key has nothing yet: something may just be granted to it.
        for (const { conversation } of sessions) conversation.revoke(publicKey, revoked())
      }

      const reauthorize = (selected: ReadonlyArray<Session>, only?: string) =>
        Effect.forEach(selected, (session) => session.reauthorize(only), {
          concurrency: reauthorizeConcurrency,
          discard: true
        })

      const recheck = (publicKey: string) =>
        Effect.suspend(() => {
          for (const { conversation } of sessions) conversation.accessChanged(publicKey)
          return reauthorize(
            [...sessions].filter(({ conversation }) => conversation.uses(publicKey)),
            publicKey
          )
        })

      const drain = Effect.suspend(() => {
        closing = true
        return Effect.forEach([...sessions], (session) => Effect.timeoutOption(session.drain(), options.drainTimeout), {
          concurrency: "unbounded",
          discard: true
        })
      })

      const checkAlive = Effect.sync(() => {
        metrics.subscriptions.updateUnsafe(subscriptions(), context)
        for (const session of [...sessions]) {
          session.checkAlive(Duration.toMillis(options.pingInterval))
        }
      })

      // Devices of an earlier history would go on where that one ended, and keep what the new one lacks.
      const closeOutdated = store.id.pipe(
        Effect.map((remoteId) => [...sessions].filter(({ conversation }) => conversation.isOutdated(remoteId))),
        Effect.tap((outdated) =>
          Effect.sync(() => {
            for (const session of outdated) session.close(1012, "The server has a new id")
          })
        ),
        Effect.catchCause((cause) => Effect.logWarning("The id of the backend could not be looked at", cause))
      )

      const checkAll = Effect.andThen(
        closeOutdated,
        Effect.suspend(() => reauthorize([...sessions]))
      )
      yield* Effect.forkScoped(Effect.schedule(checkAll, Schedule.spaced(options.reauthorizeInterval)))
      yield* Effect.forkScoped(Effect.schedule(checkAlive, Schedule.spaced(options.pingTimeout)))

      return Sessions.of({
        connect,
        disconnect,
        revoke,
        recheck,
        drain,
        stats: () => ({ connections: sessions.size, subscriptions: subscriptions(), rejected: { ...rejected } })
      })
    })
  )

const revoked = () => new RequestError({ reason: "NotMapped", message: "The public key belongs to no store" })

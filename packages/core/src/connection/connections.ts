import { Clock, Context, Duration, Effect, FiberSet, Layer, Metric, Random, Schedule, Stream } from "effect"
import { EventLogServerStoreRegistry } from "../backend/EventLogServerStoreRegistry.ts"
import { Continuity } from "../continuity/continuity.ts"
import { Crowd } from "../feed/Crowd.ts"
import { Feed } from "../feed/feed.ts"
import { Ingest } from "../ingest/ingest.ts"
import type { Limits } from "../wire/limits.ts"
import { ErrorCode } from "../wire/messages.ts"
import { Access } from "./access.ts"
import { Budget } from "./Budget.ts"
import { Comeback } from "./Comeback.ts"
import { Connection, type ConnectionServices } from "./Connection.ts"
import type { ConnectionDetails } from "./CurrentConnection.ts"
import { Grants } from "./Grants.ts"
import * as metrics from "./metrics.ts"
import { OpenConnections } from "./OpenConnections.ts"
import type { Protocol, ProtocolName, ProtocolServices } from "./protocol.ts"
import { rechecking } from "./recheck.ts"
import { notMapped } from "./refusal.ts"
import { RefusalLog } from "./refusalLog.ts"
import { makeRunner } from "./runner.ts"
import { Subscriptions, type SubscriptionsOptions } from "./Subscriptions.ts"
import type { Transport, TransportListener } from "./Transport.ts"

/** What a connection is opened with. */
export type ConnectionInfo = Omit<ConnectionDetails, "id">

/** Which connections are meant: those that use a key, or those that read a store. */
export type Selector = { readonly publicKey: string } | { readonly storeId: string }

/** Refused requests since the start, by the code of their `Error`. */
export type Rejected = Readonly<Record<ErrorCode, number>>

/** The HTTP status that refuses a connection before its upgrade: by the app's own rule, by its address, or for now. */
export type RefusalStatus = 403 | 429 | 503

/** How the connections of a server behave. */
export interface ConnectionsOptions {
  readonly limits: Limits
  readonly sessionAuth: "required" | "off"
  /** How often live subscriptions and proved keys are checked again, and whether the backend got a new id. */
  readonly reauthorizeInterval: Duration.Duration
  /** How long a connection may take to prove its first key. */
  readonly proofTimeout: Duration.Duration
  /** After how much silence a peer is asked for a sign of life. */
  readonly pingInterval: Duration.Duration
  /** How long after that it is given up. */
  readonly pingTimeout: Duration.Duration
  /** How long a drain waits for a connection to take what is queued for it. */
  readonly drainTimeout: Duration.Duration
  /** How long a peer may take to answer a close before its socket is ended. */
  readonly closeTimeout: Duration.Duration
  /** How many devices a second are to come back that this process loses together. */
  readonly reconnectsPerSecond: number
}

/** The connections of this node. */
export class Connections extends Context.Service<
  Connections,
  {
    /** Why a connection may not be opened now, to be asked before its upgrade. */
    readonly refusal: (info: ConnectionInfo) => RefusalStatus | undefined
    /** The same, when there is a place for one more that has proved no key yet. */
    readonly admission: (info: ConnectionInfo) => Effect.Effect<RefusalStatus | undefined>
    /** Opens a connection, at once: frames that come before it is greeted wait. */
    readonly connect: (transport: Transport, info: ConnectionInfo, protocol: ProtocolName) => TransportListener
    /** What a reader may do that has no connection; it is to be ended when it leaves. */
    readonly join: (subscriptions: SubscriptionsOptions) => {
      readonly grants: Grants
      readonly subscriptions: Subscriptions
      readonly leave: () => void
    }
    /** Closes the selected connections and returns how many. They may come back. */
    readonly disconnect: (selector: Selector) => number
    /** Ends what a key was granted on this node. */
    readonly revoke: (publicKey: string) => void
    /** Checks at once what a key was granted on this node: its binding may have changed. */
    readonly recheck: (publicKey: string) => Effect.Effect<void>
    /** Refuses new connections and requests, answers what was accepted, closes with 1012, and sees sockets go. */
    readonly drain: Effect.Effect<void>
    /** Whether a drain began. */
    readonly isDraining: () => boolean
    readonly stats: () => {
      readonly connections: number
      readonly subscriptions: number
      readonly heldBytes: number
      readonly rejected: Rejected
    }
  }
>()("@eventlog-server/core/Connections") {}

const rejectedByCode = Object.fromEntries(
  ErrorCode.literals.map((code) => [code, Metric.withAttributes(metrics.rejectedRequests, { code })])
) as Record<ErrorCode, Metric.Counter<number>>

/**
 * How often it is looked for connections that are late, with a proof or with leaving: so often that a crowd of them is not
 * closed all at once.
 */
const lookMillis = 100

/** How long a connection may take to begin its proof while others wait to be opened. */
const patienceMillis = 2_000

const restarting = "The server restarts"

/** How soon notes are listened to again after a failure. */
const listenAgainMillis = 1_000

/** How a protocol is spoken, given what its conversations share. */
export type Protocols = Readonly<Record<ProtocolName, (services: ProtocolServices) => Protocol>>

/** The room of connections. */
export const layerConnections = (
  options: ConnectionsOptions,
  makeProtocols: Protocols
): Layer.Layer<Connections, never, Access | Continuity | EventLogServerStoreRegistry | Feed | Ingest> =>
  Layer.effect(
    Connections,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const context = yield* Effect.context()
      const continuity = yield* Continuity
      const registry = yield* EventLogServerStoreRegistry
      const access = yield* Access
      const feed = yield* Feed
      const ingest = yield* Ingest
      const runner = yield* makeRunner
      const run = yield* FiberSet.makeRuntime()
      const { limits } = options
      const now = clock.currentTimeMillisUnsafe.bind(clock)
      const budget = new Budget(limits.maxHeldBytes)
      const crowd = new Crowd(now, run)
      const refusals = new RefusalLog({ now, canEnroll: access.canEnroll })
      const open = new OpenConnections(limits)
      const guests = new Set<Grants>()
      const rejected = Object.fromEntries(ErrorCode.literals.map((code) => [code, 0])) as Record<ErrorCode, number>
      let nextId = 1
      const comeback = new Comeback(options.reconnectsPerSecond, yield* Random.Random)
      /** Connections that this process had when it began to close. */
      let lost = 0

      const count = () => metrics.connections.updateUnsafe(open.size, context)
      const services: ConnectionServices = {
        access,
        budget,
        crowd,
        feed,
        submit: ingest.submit,
        sessionAuth: options.sessionAuth,
        remoteId: continuity.recentId,
        now,
        runner,
        onTrust: (connection, isTrusted) => open.trust(connection, isTrusted),
        onEnded: (connection) => {
          open.end(connection)
          count()
        },
        onGone: (connection) => open.leave(connection)
      }
      const protocolServices: ProtocolServices = {
        limits,
        now,
        reconnectWithin: () => comeback.announced(open.live.size),
        onEncoded: (entries) => metrics.encodedEntries.updateUnsafe(entries, context),
        onRejected: (code, error, publicKey) => {
          rejected[code]++
          rejectedByCode[code].updateUnsafe(1, context)
          const line = refusals.line(error, publicKey)
          if (line !== undefined) run(Effect.ignoreCause(line))
        }
      }
      const protocols: Readonly<Record<ProtocolName, Protocol>> = {
        eventlog: makeProtocols.eventlog(protocolServices),
        rpc: makeProtocols.rpc(protocolServices)
      }

      const refusal = ({ remoteAddress }: ConnectionInfo): RefusalStatus | undefined => {
        if (open.isClosed || open.isFull) return 503
        return open.isFullFor(remoteAddress) ? 429 : undefined
      }

      const admission = (info: ConnectionInfo) =>
        Effect.suspend(() => {
          const status = refusal(info)
          // Who asks for no upgrade wants to know why it isn't let in, and needs no place.
          if (status !== undefined || info.headers.upgrade === undefined) return Effect.succeed(status)
          return Effect.map(open.enter(info), () => refusal(info))
        })

      const connect = (transport: Transport, info: ConnectionInfo, name: ProtocolName): TransportListener => {
        const details = { ...info, id: String(nextId++) }
        const connection = new Connection(transport, details, protocols[name], services)
        const status = refusal(info)
        open.add(connection)
        count()
        if (open.isClosed) connection.close(1012, comeback.reason(restarting, lost))
        else if (status !== undefined) connection.close(1013, "Too many connections")
        else connection.open()
        open.makeRoom()
        return connection
      }

      const join = (subscriptionsOptions: SubscriptionsOptions) => {
        const subscriptions = new Subscriptions(subscriptionsOptions)
        const grants = new Grants({
          access,
          feed,
          submit: ingest.submit,
          limits,
          now,
          remoteId: undefined,
          subscriptions,
          room: () => Effect.void,
          gather: () => crowd.gather(),
          run,
          onTrust: () => {}
        })
        guests.add(grants)
        const leave = () => {
          subscriptions.end()
          guests.delete(grants)
        }
        return { grants, subscriptions, leave }
      }

      const allGrants = () => [...[...open.live].flatMap(({ grants }) => grants ?? []), ...guests]

      const disconnect = (selector: Selector): number => {
        const selected = [...open.live].filter(({ grants }) =>
          "publicKey" in selector ? grants?.uses(selector.publicKey) : grants?.reads(selector.storeId)
        )
        for (const connection of selected) connection.close(1008, "Disconnected by the server")
        return selected.length
      }

      const revoke = (publicKey: string) => {
        // Also where the key has nothing yet: something may just be granted to it.
        for (const grants of allGrants()) grants.revoke(publicKey, notMapped())
      }

      const { heed, recheck, recheckAll } = rechecking({ connections: () => open.live, guests })

      // Devices of an earlier history would go on where that one ended, and keep what the new one lacks.
      yield* continuity.onBroken((remoteId) => {
        const outdated = [...open.live].filter((connection) => connection.isOutdated(remoteId))
        const reason = () => comeback.reason("The server has a new id", outdated.length)
        for (const connection of outdated) connection.close(1012, reason())
      })

      // Another node, or an operator, may have given the backend a new id.
      const lookAtId = Effect.catchCause(continuity.id, (cause) =>
        Effect.logWarning("The id of the backend could not be looked at", cause)
      )

      const drain = Effect.gen(function* () {
        open.close()
        const connections = [...open.live]
        lost = Math.max(lost, connections.length)
        yield* Effect.forEach(
          connections,
          (connection) =>
            Effect.timeoutOption(connection.drain(comeback.reason(restarting, lost)), options.drainTimeout),
          { concurrency: "unbounded", discard: true }
        )
        yield* Effect.timeoutOption(open.empty, options.closeTimeout)
        open.terminate(Number.POSITIVE_INFINITY)
      })

      const lookAfter = Effect.sync(() => {
        const at = now()
        open.giveUpUnproved(at - Duration.toMillis(options.proofTimeout))
        open.letIn(at - patienceMillis)
        open.terminate(at - Duration.toMillis(options.closeTimeout))
        budget.relieve()
      })

      const subscriptionCount = () => {
        let sum = 0
        for (const connection of open.live) sum += connection.subscriptionCount
        return sum
      }

      const checkAlive = Effect.sync(() => {
        metrics.subscriptions.updateUnsafe(subscriptionCount(), context)
        metrics.heldBytes.updateUnsafe(budget.heldBytes, context)
        for (const connection of [...open.live]) connection.checkAlive(Duration.toMillis(options.pingInterval))
      })

      const heedNotes = registry.changes.pipe(
        Stream.runForEach((note) => Effect.sync(() => void run(note === "any" ? recheckAll() : heed(note.publicKey)))),
        Effect.catchCause((cause) => Effect.logWarning("Changes of access could not be listened to", cause)),
        Effect.repeat(Schedule.spaced(listenAgainMillis))
      )

      yield* Effect.forkScoped(
        Effect.schedule(
          Effect.andThen(lookAtId, Effect.suspend(recheckAll)),
          Schedule.spaced(options.reauthorizeInterval)
        )
      )
      yield* Effect.forkScoped(Effect.schedule(checkAlive, Schedule.spaced(options.pingTimeout)))
      yield* Effect.forkScoped(Effect.schedule(lookAfter, Schedule.spaced(lookMillis)))
      // At once, so that the first note, which is about everybody, comes before anybody.
      yield* Effect.forkScoped(heedNotes, { startImmediately: true })

      return Connections.of({
        refusal,
        admission,
        connect,
        join,
        disconnect,
        revoke,
        recheck,
        drain,
        isDraining: () => open.isClosed,
        stats: () => ({
          connections: open.live.size,
          subscriptions: subscriptionCount(),
          heldBytes: budget.heldBytes,
          rejected: { ...rejected }
        })
      })
    })
  )

import { Duration } from "effect"
import type { FeedLoss } from "../continuity/continuity.ts"
import {
  type ProcessingOptions,
  type ResolvedProcessingOptions,
  resolveProcessingOptions
} from "../processing/options.ts"
import { defaultLimits, type Limits } from "../wire/limits.ts"
import type { Admit } from "./admit.ts"
import { type Endpoint, endpointsOf, type ProtocolOptions } from "./endpoints.ts"

/** How a server behaves. Every member has a default. A duration that is a number is in milliseconds. */
export interface ServerOptions extends ProcessingOptions {
  /** Which protocols it speaks. @default our own, and at `<path>/rpc` that of effect's own client */
  readonly protocols?: ProtocolOptions | undefined
  /**
   * `"required"`: a connection must prove, with an Ed25519 signature, that it holds each key that it names.
   * `"off"`: a key's name is enough, for trusted networks and tests. @default "required"
   */
  readonly sessionAuth?: "required" | "off" | undefined
  /** Bounds to set otherwise than `defaultLimits`. */
  readonly limits?: Partial<Limits> | undefined
  /**
   * How often live subscriptions and proved keys are checked again, and whether the backend got a new id.
   * @default 30 seconds
   */
  readonly reauthorizeInterval?: Duration.Input | undefined
  /** How long an auth or enroll callback may take before it counts as an outage. @default 10 seconds */
  readonly authTimeout?: Duration.Input | undefined
  /**
   * The app's own rule for who may open a connection, asked before the upgrade: `refuse()`, or returning `false`, refuses it
   * with 403. @default everybody may
   */
  readonly admit?: Admit | undefined
  /** How long `ready` and `health` wait for the storage. @default 5 seconds */
  readonly healthTimeout?: Duration.Input | undefined
  /** How long a connection may take to prove its first key; then it is closed with 1008. @default 10 seconds */
  readonly proofTimeout?: Duration.Input | undefined
  /** How long a peer may take to answer a close; then its socket is ended. @default 5 seconds */
  readonly closeTimeout?: Duration.Input | undefined
  /** After how much silence a peer is asked for a sign of life. @default 30 seconds */
  readonly pingInterval?: Duration.Input | undefined
  /** How long after that it is given up. @default 10 seconds */
  readonly pingTimeout?: Duration.Input | undefined
  /** How long closing waits for a connection to take what is queued for it. @default 5 seconds */
  readonly drainTimeout?: Duration.Input | undefined
  /**
   * How many devices a second come back that this process loses together, when it closes or dies: as many as whoever takes
   * them can connect. None is asked to stay away for more than 30 seconds. @default 800
   */
  readonly reconnectsPerSecond?: number | undefined
  /** How long a compactor may take for one primary key before its entries are sent unchanged. @default 30 seconds */
  readonly compactionTimeout?: Duration.Input | undefined
  /**
   * Told once, on the node that noticed it first, when committed entries are gone: an asynchronous replica took over, a
   * backup was restored. The backend then has a new id, and devices are sending what they hold.
   */
  readonly onFeedLost?: ((loss: FeedLoss) => unknown) | undefined
}

/** `ServerOptions` with the defaults filled in. */
export interface ResolvedOptions {
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly sessionAuth: "required" | "off"
  readonly limits: Limits
  readonly reauthorizeInterval: Duration.Duration
  readonly authTimeout: Duration.Duration
  readonly admit: Admit | undefined
  readonly healthTimeout: Duration.Duration
  readonly proofTimeout: Duration.Duration
  readonly closeTimeout: Duration.Duration
  readonly pingInterval: Duration.Duration
  readonly pingTimeout: Duration.Duration
  readonly drainTimeout: Duration.Duration
  readonly reconnectsPerSecond: number
  readonly compactionTimeout: Duration.Duration
  readonly processing: ResolvedProcessingOptions
  readonly onFeedLost: (loss: FeedLoss) => unknown
}

/** Fills in the defaults. */
export const resolveOptions = (options: ServerOptions): ResolvedOptions => ({
  endpoints: endpointsOf(options.protocols),
  sessionAuth: options.sessionAuth ?? "required",
  limits: { ...defaultLimits, ...options.limits },
  reauthorizeInterval: duration(options.reauthorizeInterval, 30_000),
  authTimeout: duration(options.authTimeout, 10_000),
  admit: options.admit,
  healthTimeout: duration(options.healthTimeout, 5_000),
  proofTimeout: duration(options.proofTimeout, 10_000),
  closeTimeout: duration(options.closeTimeout, 5_000),
  pingInterval: duration(options.pingInterval, 30_000),
  pingTimeout: duration(options.pingTimeout, 10_000),
  drainTimeout: duration(options.drainTimeout, 5_000),
  reconnectsPerSecond: options.reconnectsPerSecond ?? 800,
  compactionTimeout: duration(options.compactionTimeout, 30_000),
  processing: resolveProcessingOptions(options, options.limits),
  onFeedLost: options.onFeedLost ?? (() => {})
})

const duration = (input: Duration.Input | undefined, defaultMillis: number): Duration.Duration =>
  Duration.fromInputUnsafe(input ?? defaultMillis)

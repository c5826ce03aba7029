import type { Context, Layer } from "effect"
import type { BackendServices } from "../backend/Backend.ts"
import type { EventLogServerStoreRegistry } from "../backend/EventLogServerStoreRegistry.ts"
import type { FeedAdmin } from "../backend/FeedAdmin.ts"
import type { FeedStore } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { StoreProgress } from "../backend/StoreProgress.ts"

/** A storage that can be put out of reach, as when its server stops or the network to it breaks. */
export interface Outage {
  /**
   * Cuts both nodes off. Until `end`, what they ask fails or waits; none of it is answered. What they were being
   * answered may be lost on the way, though it was done.
   */
  readonly begin: () => Promise<void>
  /** Puts the storage back within reach, with everything that it ever acknowledged. */
  readonly end: () => Promise<void>
}

/** A storage that a suite may use, and what the suite may do to it. */
export interface BackendHarness {
  /** One node on the storage. */
  readonly layer: Layer.Layer<BackendServices>
  /** Another node on the same storage, as a second process would have it. @default `layer`, built a second time */
  readonly peer?: Layer.Layer<BackendServices> | undefined
  /**
   * Makes the processing lease of a store lapse while its holder lives, as if the holder had been cut off for longer
   * than the lease time: it can't renew it any more. Without it the tests that need it are skipped.
   */
  readonly expireLease?: ((storeId: StoreId) => Promise<void>) | undefined
  /**
   * Makes the storage lose the last `count` entries of a store, as when a replica that lagged behind took over: its cursor
   * isn't beyond the new head then. Without it the tests that need it are skipped.
   */
  readonly loseTail?: ((storeId: StoreId, count: number) => Promise<void>) | undefined
  /** Takes the storage away from both nodes. Without it the tests that need it are skipped. */
  readonly outage?: Outage | undefined
  /** Called after the last test, when both nodes are closed. */
  readonly close?: (() => Promise<void>) | undefined
}

/** A test that doesn't run, and why. */
export interface Skip {
  /** The test's title, with its topic: `"wakeups: emits for commits of another node"`. */
  readonly test: string
  /** Shown beside the title. */
  readonly reason: string
}

/** The storage isn't there: nothing listens, no such program. The message says what is missing, and shows beside tests. */
export class BackendAwayError extends Error {
  override readonly name = "BackendAwayError"
}

/** How a suite runs. */
export interface BackendSuiteOptions {
  /**
   * Opens the storage, once per suite, before its first test. It need not be empty: every test uses ids of its own.
   * Throws a `BackendAwayError` when the storage is away; whatever it throws, the suite fails, unless `mayBeAway`.
   */
  readonly backend: () => BackendHarness | Promise<BackendHarness>
  /** Tests to leave out. One that names no test of the suite is an error. @default none */
  readonly skip?: ReadonlyArray<Skip> | undefined
  /** Skip every test, for the reason that a `BackendAwayError` gives, instead of failing. @default false */
  readonly mayBeAway?: boolean | undefined
  /** Multiplies the number of rounds, writers and entries. @default 1 */
  readonly scale?: number | undefined
}

/** The ports of one node. */
export interface Node {
  /** All of them, for a server. */
  readonly services: Context.Context<BackendServices>
  readonly feeds: FeedStore["Service"]
  readonly admin: FeedAdmin["Service"]
  readonly progress: StoreProgress["Service"]
  readonly registry: EventLogServerStoreRegistry["Service"]
}

/** What a test works with: two nodes on one storage. */
export interface Nodes {
  readonly node: Node
  readonly peer: Node
  readonly expireLease: BackendHarness["expireLease"]
  readonly loseTail: BackendHarness["loseTail"]
  readonly outage: BackendHarness["outage"]
  readonly scale: number
}

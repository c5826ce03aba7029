import { check } from "./feedAdmin/check.ts"
import { erase } from "./feedAdmin/erase.ts"
import { heads } from "./feedAdmin/heads.ts"
import { identity } from "./feedAdmin/identity.ts"
import { rotateId } from "./feedAdmin/rotateId.ts"
import { append } from "./feedStore/append.ts"
import { bucket } from "./feedStore/bucket.ts"
import { bucketBounds } from "./feedStore/bucketBounds.ts"
import { concurrency } from "./feedStore/concurrency.ts"
import { head } from "./feedStore/head.ts"
import { idempotency } from "./feedStore/idempotency.ts"
import { isolation } from "./feedStore/isolation.ts"
import { known } from "./feedStore/known.ts"
import { read } from "./feedStore/read.ts"
import { survivors } from "./feedStore/survivors.ts"
import { wakeups } from "./feedStore/wakeups.ts"
import type { BackendSuiteOptions } from "./harness.ts"
import { compaction } from "./server/compaction.ts"
import { delivery } from "./server/delivery.ts"
import { duplicates } from "./server/duplicates.ts"
import { erasure } from "./server/erasure.ts"
import { handlers } from "./server/handlers.ts"
import { health } from "./server/health.ts"
import { keys } from "./server/keys.ts"
import { loss } from "./server/loss.ts"
import { outage } from "./server/outage.ts"
import { behind } from "./storeProgress/behind.ts"
import { cursors } from "./storeProgress/cursors.ts"
import { cutoffs } from "./storeProgress/cutoffs.ts"
import { failures } from "./storeProgress/failures.ts"
import { lease } from "./storeProgress/lease.ts"
import { rewinding } from "./storeProgress/rewinding.ts"
import { changesOfAccess } from "./storeRegistry/changes.ts"
import { listing } from "./storeRegistry/listing.ts"
import { mapping } from "./storeRegistry/mapping.ts"
import { races } from "./storeRegistry/races.ts"
import { declareSuites } from "./suite.ts"

const FeedStore = {
  append,
  idempotency,
  read,
  known,
  head,
  bucket,
  bucketBounds,
  survivors,
  isolation,
  concurrency,
  wakeups
}
const FeedAdmin = { identity, check, heads, erase, rotateId }
const StoreProgress = { lease, cursors, behind, failures, rewinding, cutoffs }
const EventLogServerStoreRegistry = { mapping, races, listing, changes: changesOfAccess }
const servers = { delivery, duplicates, handlers, keys, erasure, compaction, outage, loss, health }

/** Declares every test of a backend: those of its ports, and those of two servers on it. */
export const backendSuite = (name: string, options: BackendSuiteOptions): void =>
  declareSuites(
    name,
    { FeedStore, FeedAdmin, StoreProgress, EventLogServerStoreRegistry, "two servers": servers },
    options
  )

/** Declares the tests of the `FeedStore` port. */
export const feedStoreSuite = (name: string, options: BackendSuiteOptions): void =>
  declareSuites(name, { FeedStore }, options)

/** Declares the tests of the `FeedAdmin` port. */
export const feedAdminSuite = (name: string, options: BackendSuiteOptions): void =>
  declareSuites(name, { FeedAdmin }, options)

/** Declares the tests of the `StoreProgress` port. */
export const storeProgressSuite = (name: string, options: BackendSuiteOptions): void =>
  declareSuites(name, { StoreProgress }, options)

/** Declares the tests of the `EventLogServerStoreRegistry` port. */
export const storeRegistrySuite = (name: string, options: BackendSuiteOptions): void =>
  declareSuites(name, { EventLogServerStoreRegistry }, options)

import { Effect, type Exit } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { IdentityClaim } from "../backend/EventLogServerAuth.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Feed, OpenedSubscription } from "../feed/feed.ts"
import { checkEntries } from "../ingest/checkEntries.ts"
import type { Submit, WriteError, Written } from "../ingest/write.ts"
import { type DomainError, type RequestError, reasonOf, reasons } from "../wire/errors.ts"
import type { Limits } from "../wire/limits.ts"
import { type Access, type AccessError, isOutage } from "./access.ts"
import { goOn } from "./atOnce.ts"
import { Challenge, type Proof } from "./Challenge.ts"
import { checkPublicKey } from "./publicKey.ts"
import {
  accessChanged,
  notMapped,
  notNeeded,
  notProved,
  otherStore,
  shuttingDown,
  tooManyKeys,
  tooManySubscriptions
} from "./refusal.ts"
import type { Run } from "./runner.ts"
import type { ActiveSubscription, Subscriptions } from "./Subscriptions.ts"

/** What grants are made of. */
export interface GrantsContext {
  readonly access: Access["Service"]
  readonly submit: Submit
  readonly feed: Feed["Service"]
  readonly limits: Limits
  readonly now: () => number
  /** The server's id, which proofs are made for; `undefined` where nothing has to be proved. */
  readonly remoteId: EventJournal.RemoteId | undefined
  readonly subscriptions: Subscriptions
  /** Waits until another batch may be held. */
  readonly room: () => Effect.Effect<void>
  /** Waits for others who want the storage to be asked for them, where they are many; see `Crowd`. */
  readonly gather: () => Effect.Effect<void>
  /** Starts what has to be waited for. */
  readonly run: Run
  /** Called when the first key was proved, or the last one is proved no more. */
  readonly onTrust: (isTrusted: boolean) => void
}

/** A batch that a key wants written. */
export interface KeyedWrite {
  readonly publicKey: string
  readonly entries: ReadonlyArray<EventJournal.Entry>
  /** The store that the client names, where its protocol lets it. @default whichever the key is mapped to */
  readonly isMeant?: IsMeant | undefined
  /** Whether it may be committed in parts; see `Ingest`. @default false */
  readonly isDivisible?: boolean | undefined
  /** Called when the batch is queued: nothing takes it back. */
  readonly begun: () => void
  /** Called when the batch was written or failed, unless `Grants.write` itself fails. It may not throw. */
  readonly complete: (exit: Exit.Exit<Written, WriteError>) => void
}

/** What a key wants to read. */
export interface KeyedRead {
  readonly publicKey: string
  /** Inclusive; 0 is 1. */
  readonly startSequence: number
  /** The id of the entry before, where the client has received it. */
  readonly lastEntryId?: Uint8Array | undefined
  /** As for `KeyedWrite`. */
  readonly isMeant?: IsMeant | undefined
}

/** Whether a store is the one that a client means. */
export type IsMeant = (storeId: StoreId) => boolean

const anyStore: IsMeant = () => true

/** How often keys that belong to no store are looked up again, at most. */
const retryMillis = 1_000

/**
 * What one connection may do, whatever protocol it speaks: the keys that it proved, those that it proved and that belong to
 * no store yet, and its subscriptions. A public key in a message is only a claim: every request must name a key in here.
 */
export class Grants {
  readonly #context: GrantsContext
  /** Absent where nothing has to be proved. */
  readonly challenge: Challenge | undefined
  readonly #proved = new Map<string, IdentityClaim>()
  readonly #unmapped = new Map<string, IdentityClaim>()
  #failures = 0
  #triedAt = Number.NEGATIVE_INFINITY
  #pending = 0
  readonly #waiting: Array<() => void> = []
  /** The key that is being granted something; `undefined` again when its access changes meanwhile. */
  #granting: string | undefined
  /** Whether its access may have changed since it was asked for. */
  #isInDoubt = false

  constructor(context: GrantsContext) {
    this.#context = context
    this.challenge = context.remoteId === undefined ? undefined : new Challenge(context.remoteId)
  }

  /** Whether a key was proved, or none has to be. */
  get isTrusted(): boolean {
    return this.challenge === undefined || this.#proved.size > 0
  }

  /** Whether so many proofs failed that the peer must be guessing. */
  get isExhausted(): boolean {
    return this.#failures >= this.#context.limits.maxFailedProofs
  }

  /** Waits until another batch may be held; `write` does so itself. */
  get room(): Effect.Effect<void> {
    return this.#context.room()
  }

  /** Writes that were accepted and are not answered yet. */
  get pendingWrites(): number {
    return this.#pending
  }

  /** Whether the connection acts with a key, or would if it had a store. */
  uses(publicKey: string): boolean {
    return this.#proved.has(publicKey) || this.#unmapped.has(publicKey) || this.#context.subscriptions.has(publicKey)
  }

  /** Whether a subscription reads the store. */
  reads(storeId: string): boolean {
    return this.#context.subscriptions.all().some((subscription) => subscription.storeId === storeId)
  }

  /**
   * Proves a key: verifies the signature, asks whether the key may be used, maps it where it is new, binds it.
   *
   * @param remembers a key that belongs to no store yet may act as soon as it does, without another proof; this fails with
   * `NotMapped` all the same @default false
   */
  prove(proof: Proof, remembers = false): Effect.Effect<void, DomainError> {
    return Effect.gen({ self: this }, function* () {
      const { limits, now } = this.#context
      const flaw = checkPublicKey(proof.publicKey, limits)
      if (flaw !== undefined) return yield* flaw
      if (this.challenge === undefined) return yield* notNeeded()
      yield* this.challenge.verify(proof, now()).pipe(Effect.tapError((error) => this.#count(error)))
      yield* this.#context.gather()
      const isKnown = this.#proved.has(proof.publicKey) || this.#unmapped.has(proof.publicKey)
      if (!isKnown && this.#proved.size + this.#unmapped.size >= limits.maxKeys) return yield* tooManyKeys(limits)
      const claim = { publicKey: proof.publicKey, signingPublicKey: proof.signingPublicKey }
      yield* this.#accept(claim).pipe(
        Effect.tapError((error) => this.#refused(claim, error)),
        Effect.tapError((error) =>
          Effect.sync(() => {
            if (remembers && reasonOf(error) === "NotMapped") this.#unmapped.set(claim.publicKey, claim)
          })
        )
      )
    })
  }

  /** Fails unless something may be asked for on this connection; with a key, unless it may be asked for with that. */
  require(publicKey?: string | undefined): Effect.Effect<void, RequestError> {
    if (publicKey === undefined ? this.isTrusted : this.#proved.has(publicKey)) return Effect.void
    const flaw = publicKey === undefined ? undefined : checkPublicKey(publicKey, this.#context.limits)
    if (flaw !== undefined) return Effect.fail(flaw)
    if (this.challenge === undefined) return Effect.void
    return this.#unmapped.size === 0 ? Effect.fail(notProved(publicKey)) : this.#requireUnmapped(publicKey)
  }

  /**
   * Accepts a batch: it is checked, authorized and queued when this succeeds, in the order of the requests. It begins when it
   * is called, and what it returns is an `Exit` where there is nothing to wait for.
   */
  write(request: KeyedWrite): Effect.Effect<void, DomainError> {
    const { access, limits, now, run } = this.#context
    const { entries, isMeant = anyStore, publicKey } = request
    const accept = (): Effect.Effect<void, DomainError> => {
      const flaw = checkEntries(entries, limits, now())
      if (flaw !== undefined) return Effect.fail(flaw)
      const granted = goOn(this.room, () => access.writeAtOnce(publicKey, entries, run))
      return goOn(granted, (storeId) => (isMeant(storeId) ? this.#queue(request, storeId) : Effect.fail(otherStore())))
    }
    return goOn(this.require(publicKey), accept)
  }

  /** Opens a subscription, which may take the place of the key's former one: `Subscriptions.start`. */
  subscribe(request: KeyedRead): Effect.Effect<OpenedSubscription & { readonly storeId: StoreId }, DomainError> {
    return Effect.gen({ self: this }, function* () {
      const { isMeant = anyStore, lastEntryId, publicKey, startSequence } = request
      const { access, feed, gather, limits, subscriptions } = this.#context
      // Before anything is checked: a key may be revoked meanwhile.
      yield* gather()
      yield* this.require(publicKey)
      this.#beginGranting(publicKey)
      if (!subscriptions.has(publicKey) && subscriptions.size >= limits.maxSubscriptions) {
        return yield* tooManySubscriptions(limits)
      }
      const storeId = yield* access.read(publicKey)
      if (!isMeant(storeId)) return yield* otherStore()
      const opened = yield* feed.open(storeId, startSequence, lastEntryId)
      if (subscriptions.isEnded) return yield* shuttingDown()
      if (this.#isInDoubt) yield* this.#checkReading({ publicKey, storeId })
      if (this.#granting !== publicKey) return yield* accessChanged()
      return { ...opened, storeId }
    })
  }

  /** The access of a key changed: what is just being granted to it is not. */
  accessChanged(publicKey: string): void {
    if (this.#granting === publicKey) this.#granting = undefined
  }

  /** The access of a key may have changed: what is just being granted to it is asked for once more. */
  doubt(publicKey: string): void {
    if (this.#granting === publicKey) this.#isInDoubt = true
  }

  /** Takes back what a key was granted, and says why where it had a subscription. */
  revoke(publicKey: string, error: DomainError): void {
    this.accessChanged(publicKey)
    const wasTrusted = this.isTrusted
    this.#proved.delete(publicKey)
    this.#unmapped.delete(publicKey)
    if (wasTrusted && !this.isTrusted) this.#context.onTrust(false)
    this.#context.subscriptions.lose(publicKey, error)
  }

  /**
   * Asks again whether the proved keys, or one of them, are still bound. An outage takes nothing away, and neither does a
   * reply about what was replaced meanwhile.
   */
  recheckKeys(only?: string | undefined): Effect.Effect<void> {
    return Effect.forEach(
      [...this.#proved.values()].filter(isAbout(only)),
      (claim) =>
        Effect.map(refusalOf(this.#checkBinding(claim)), (error) => {
          if (error !== undefined && this.#proved.get(claim.publicKey) === claim) this.revoke(claim.publicKey, error)
        }),
      { discard: true, concurrency: "unbounded" }
    )
  }

  /** Asks again whether the subscriptions, or that of one key, may still read; as `recheckKeys` does. */
  recheckReads(only?: string | undefined): Effect.Effect<void> {
    const { subscriptions } = this.#context
    return Effect.forEach(
      subscriptions.all().filter(isAbout(only)),
      (subscription) =>
        Effect.map(refusalOf(this.#checkReading(subscription)), (error) => {
          const { publicKey } = subscription
          if (error !== undefined && subscriptions.get(publicKey) === subscription) subscriptions.lose(publicKey, error)
        }),
      { discard: true, concurrency: "unbounded" }
    )
  }

  #accept(claim: IdentityClaim): Effect.Effect<void, DomainError> {
    return Effect.suspend(() => {
      this.#beginGranting(claim.publicKey)
      const { access } = this.#context
      const proved = Effect.andThen(
        access.prove(claim),
        Effect.suspend(() => (this.#isInDoubt ? this.#checkBinding(claim) : Effect.void))
      )
      return Effect.flatMap(proved, () => {
        if (this.#granting !== claim.publicKey) return Effect.fail(accessChanged())
        const wasTrusted = this.isTrusted
        this.#unmapped.delete(claim.publicKey)
        this.#proved.set(claim.publicKey, claim)
        if (!wasTrusted) this.#context.onTrust(true)
        return Effect.void
      })
    })
  }

  #beginGranting(publicKey: string): void {
    this.#granting = publicKey
    this.#isInDoubt = false
  }

  /** A key that is refused is no longer proved, if it was. */
  #refused(claim: IdentityClaim, error: DomainError): Effect.Effect<void> {
    return Effect.sync(() => {
      const reason = reasonOf(error)
      if (reasons[reason].retryable) return
      this.#failures++
      // Somebody who is bound to another signing key says nothing about the one who is not.
      if (reason !== "BadProof" && this.#proved.has(claim.publicKey)) this.revoke(claim.publicKey, error)
    })
  }

  #count(error: RequestError): Effect.Effect<void> {
    return Effect.sync(() => {
      if (!reasons[error.reason].retryable) this.#failures++
    })
  }

  #requireUnmapped(publicKey: string | undefined): Effect.Effect<void, RequestError> {
    return Effect.andThen(
      this.#retry,
      Effect.suspend(() => {
        if (publicKey === undefined ? this.isTrusted : this.#proved.has(publicKey)) return Effect.void
        const isUnmapped = publicKey === undefined ? this.#unmapped.size > 0 : this.#unmapped.has(publicKey)
        return Effect.fail(isUnmapped ? notMapped() : notProved(publicKey))
      })
    )
  }

  /** Looks whether keys belong to a store by now. */
  get #retry(): Effect.Effect<void> {
    const now = this.#context.now()
    if (now - this.#triedAt < retryMillis) return Effect.void
    this.#triedAt = now
    return Effect.forEach(
      [...this.#unmapped.values()],
      (claim) =>
        Effect.catch(this.#accept(claim), (error) => {
          const reason = reasonOf(error)
          if (reason !== "NotMapped" && !reasons[reason].retryable) this.#unmapped.delete(claim.publicKey)
          return Effect.void
        }),
      { discard: true }
    )
  }

  /** Queues a write once there is room for one more. */
  #queue(write: KeyedWrite, storeId: StoreId): Effect.Effect<void> {
    if (this.#pending >= this.#context.limits.maxPendingWrites) {
      return Effect.andThen(
        this.#place,
        Effect.sync(() => this.#submit(write, storeId))
      )
    }
    this.#submit(write, storeId)
    return Effect.void
  }

  #submit({ begun, complete, entries, isDivisible, publicKey }: KeyedWrite, storeId: StoreId): void {
    this.#pending++
    begun()
    this.#context.submit({ storeId, entries, author: publicKey, transportOnly: false, isDivisible }, (exit) => {
      this.#pending--
      this.#waiting.shift()?.()
      complete(exit)
    })
  }

  get #place(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.#waiting.push(() => resume(Effect.void))
    })
  }

  #checkReading({
    publicKey,
    storeId
  }: Pick<ActiveSubscription, "publicKey" | "storeId">): Effect.Effect<void, AccessError> {
    return Effect.flatMap(this.#context.access.read(publicKey), (current) =>
      current === storeId ? Effect.void : Effect.fail(notMapped())
    )
  }

  #checkBinding(claim: IdentityClaim): Effect.Effect<void, AccessError> {
    return Effect.flatMap(this.#context.access.isStillBound(claim), (isBound) =>
      isBound ? Effect.void : Effect.fail(notProved(claim.publicKey))
    )
  }
}

const isAbout =
  (only: string | undefined) =>
  ({ publicKey }: { readonly publicKey: string }): boolean =>
    only === undefined || only === publicKey

/** What a check refused, if it did. */
const refusalOf = (check: Effect.Effect<void, AccessError>): Effect.Effect<AccessError | undefined> =>
  Effect.match(check, {
    onSuccess: () => undefined,
    onFailure: (error) => (isOutage(error) ? undefined : error)
  })

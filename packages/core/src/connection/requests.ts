import { Effect, type Exit } from "effect"
import type { IdentityClaim } from "../backend/EventLogServerAuth.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Feed, OpenedSubscription } from "../feed/feed.ts"
import { checkEntries } from "../ingest/checkEntries.ts"
import type { Ingest, WriteError, WriteRequest, Written } from "../ingest/ingest.ts"
import { type DomainError, RequestError } from "../wire/errors.ts"
import type { Limits } from "../wire/limits.ts"
import type { Authenticate, RequestChanges, WriteEntries } from "../wire/messages.ts"
import { type Access, type AccessError, isOutage } from "./access.ts"
import type { Proofs } from "./proofs.ts"
import type { ActiveSubscription, Subscriptions } from "./subscriptions.ts"

/** What the requests of one connection act on. */
export interface RequestContext {
  readonly access: Access["Service"]
  readonly submit: Ingest["Service"]["submit"]
  readonly feed: Feed["Service"]
  readonly limits: Limits
  readonly now: () => number
  readonly subscriptions: Subscriptions
  /** Absent where connections need not prove their keys (`sessionAuth: "off"`). */
  readonly proofs: Proofs | undefined
}

/** Whether a store is the one that a client means, where its protocol lets it name one. */
export type IsMeant = (storeId: StoreId) => boolean

const anyStore: IsMeant = () => true

/** What a client may ask for on one connection, in whatever protocol it does. */
export class Requests {
  private pending = 0
  /** The key that is being granted something; `undefined` again when its access changes meanwhile. */
  private granting: string | undefined
  private readonly waiting: Array<() => void> = []
  private readonly context: RequestContext

  constructor(context: RequestContext) {
    this.context = context
  }

  /** Writes that were accepted and not answered yet. */
  get pendingWrites(): number {
    return this.pending
  }

  /** Verifies that the peer holds the keys which it names. That grants nothing yet: `accept` does. */
  verify(request: Omit<typeof Authenticate.Type, "_tag">): Effect.Effect<IdentityClaim, DomainError> {
    return Effect.gen({ self: this }, function* () {
      const { now, proofs } = this.context
      if (proofs === undefined) return yield* notNeeded()
      return yield* proofs.verify(request, now())
    })
  }

  /** Lets the connection act with a key that was verified. */
  accept(claim: IdentityClaim): Effect.Effect<void, DomainError> {
    return Effect.gen({ self: this }, function* () {
      const { proofs } = this.context
      if (proofs === undefined) return yield* notNeeded()
      this.granting = claim.publicKey
      yield* proofs.accept(claim)
      if (this.granting === claim.publicKey) return
      proofs.revoke(claim.publicKey)
      return yield* accessChanged()
    })
  }

  /**
   * Accepts a batch: it is checked, authorized and queued when this returns, in the order of the requests; the answer
   * follows when it is durable.
   *
   * @param answered called when the batch was written or failed, unless this effect fails
   */
  write(
    request: Pick<typeof WriteEntries.Type, "publicKey" | "entries">,
    answered: (exit: Exit.Exit<Written, WriteError>) => void,
    isMeant = anyStore
  ): Effect.Effect<void, DomainError> {
    // Without a generator: making one for each write costs more than the rest of this.
    return Effect.suspend(() => {
      const { access, limits, now } = this.context
      const { entries, publicKey } = request
      const flaw = this.unproved(publicKey) ?? checkEntries(entries, limits, now())
      if (flaw !== undefined) return Effect.fail(flaw)
      return Effect.flatMap(access.write(publicKey, entries), (storeId) =>
        isMeant(storeId)
          ? this.queue({ storeId, entries, author: publicKey, transportOnly: false }, answered)
          : Effect.fail(otherStore())
      )
    })
  }

  /** Queues a write once there is room for one more. */
  private queue(write: WriteRequest, answered: (exit: Exit.Exit<Written, WriteError>) => void): Effect.Effect<void> {
    const submit = Effect.sync(() => {
      this.pending++
      this.context.submit(write, (exit) => {
        this.pending--
        this.waiting.shift()?.()
        answered(exit)
      })
    })
    return this.pending >= this.context.limits.maxPendingWrites ? Effect.andThen(this.room, submit) : submit
  }

  /** Opens a subscription, which may take the place of the key's former one: `Subscriptions.start`. */
  subscribe(
    request: Pick<typeof RequestChanges.Type, "publicKey" | "startSequence">,
    isMeant = anyStore
  ): Effect.Effect<OpenedSubscription & { readonly storeId: StoreId }, DomainError> {
    return Effect.gen({ self: this }, function* () {
      const { access, feed, limits, subscriptions } = this.context
      const { publicKey, startSequence } = request
      const flaw = this.unproved(publicKey)
      if (flaw !== undefined) return yield* flaw
      this.granting = publicKey
      if (!subscriptions.has(publicKey) && subscriptions.size >= limits.maxSubscriptions) {
        return yield* new RequestError({
          reason: "Limit",
          message: `A connection may have ${limits.maxSubscriptions} subscriptions`
        })
      }
      const storeId = yield* access.read(publicKey)
      if (!isMeant(storeId)) return yield* otherStore()
      const opened = yield* feed.open(storeId, startSequence)
      if (subscriptions.isEnded) return yield* shuttingDown()
      if (this.granting !== publicKey) return yield* accessChanged()
      return { ...opened, storeId }
    })
  }

  /** The access of a key changed: what is just being granted to it is not. */
  accessChanged(publicKey: string): void {
    if (this.granting === publicKey) this.granting = undefined
  }

  /**
   * Asks again whether the connection's keys, or one of them, may still do what they were granted, and tells of those
   * that may not. An outage takes nothing away, and neither does an answer about what was replaced meanwhile.
   */
  reauthorize(
    lost: {
      readonly key: (publicKey: string, error: DomainError) => void
      readonly subscription: (publicKey: string, error: DomainError) => void
    },
    only?: string | undefined
  ): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { proofs, subscriptions } = this.context
      const isMeant = ({ publicKey }: { readonly publicKey: string }) => only === undefined || only === publicKey
      for (const claim of proofs?.all().filter(isMeant) ?? []) {
        const error = yield* refusalOf(this.checkBinding(claim))
        if (error !== undefined && proofs?.get(claim.publicKey) === claim) lost.key(claim.publicKey, error)
      }
      for (const subscription of subscriptions.all().filter(isMeant)) {
        const error = yield* refusalOf(this.checkReading(subscription))
        const { publicKey } = subscription
        if (error !== undefined && subscriptions.get(publicKey) === subscription) lost.subscription(publicKey, error)
      }
    })
  }

  private checkReading({ publicKey, storeId }: ActiveSubscription): Effect.Effect<void, AccessError> {
    return Effect.flatMap(this.context.access.read(publicKey), (current) =>
      current === storeId ? Effect.void : Effect.fail(movedAway())
    )
  }

  private checkBinding(claim: IdentityClaim): Effect.Effect<void, AccessError> {
    return Effect.flatMap(this.context.access.isStillBound(claim), (isBound) =>
      isBound ? Effect.void : Effect.fail(notProved(claim.publicKey))
    )
  }

  private unproved(publicKey: string): RequestError | undefined {
    const { proofs } = this.context
    return proofs === undefined || proofs.get(publicKey) !== undefined ? undefined : notProved(publicKey)
  }

  private get room(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.waiting.push(() => resume(Effect.void))
    })
  }
}

/** What a check refused, if it did. */
const refusalOf = (check: Effect.Effect<void, AccessError>): Effect.Effect<AccessError | undefined> =>
  Effect.match(check, {
    onSuccess: () => undefined,
    onFailure: (error) => (isOutage(error) ? undefined : error)
  })

const notProved = (publicKey: string) =>
  new RequestError({ reason: "NotProved", message: `This connection has not proved the key ${publicKey}` })

const notNeeded = () =>
  new RequestError({ reason: "Malformed", message: "This server asks for no proof: it sent no challenge" })

const movedAway = () => new RequestError({ reason: "NotMapped", message: "The public key belongs to no store" })

const otherStore = () =>
  new RequestError({ reason: "NotMapped", message: "The public key belongs to no store of that name" })

const accessChanged = () =>
  new RequestError({ reason: "Unavailable", message: "The access of this key was changed meanwhile; ask again" })

/** What a request is answered with while the server closes. */
export const shuttingDown = () => new RequestError({ reason: "ShuttingDown", message: "The server is shutting down" })

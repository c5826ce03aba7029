import { Effect } from "effect"
import { EventLogSessionAuth } from "effect/eventlog"
import type { IdentityClaim } from "../../backend/EventLogServerAuth.ts"
import type { Proofs } from "../../connection/proofs.ts"
import type { Requests } from "../../connection/requests.ts"
import { type DomainError, RequestError, toErrorFrame } from "../../wire/errors.ts"
import type { Limits } from "../../wire/limits.ts"
import type { Payload } from "./wire.ts"

/** How often keys that belong to no store are looked up again, at most. */
const retryMillis = 1_000

/** A stock client that hears it is not proved asks again at once. Where that helps later only, the answer takes so long. */
const askAgainMillis = 1_000

/** What the keys of a connection are kept by. */
export interface KeysContext {
  /** Absent where connections need not prove their keys (`sessionAuth: "off"`). */
  readonly proofs: Proofs | undefined
  readonly requests: Requests
  readonly limits: Limits
  readonly now: () => number
}

/**
 * The keys that a stock client proved on one connection. It proves a key once, and takes a failure of that for good unless
 * it says that the proof is missing. So an outage says just that, and a key whose signature is right but which belongs to
 * no store yet is remembered, and may act as soon as it does.
 */
export class Keys {
  private readonly unmapped = new Map<string, IdentityClaim>()
  private triedAt = Number.NEGATIVE_INFINITY
  private readonly context: KeysContext

  constructor(context: KeysContext) {
    this.context = context
  }

  /** Whether the peer proved a key that has a store, or need not. Until then it is allowed very little. */
  get isTrusted(): boolean {
    return this.context.proofs === undefined || this.context.proofs.size > 0
  }

  /** Whether so many proofs failed that the peer must be guessing. */
  get isExhausted(): boolean {
    return this.context.proofs?.isExhausted === true
  }

  /** Whether the connection acts with a key, or would if it had a store. */
  has(publicKey: string): boolean {
    return this.unmapped.has(publicKey) || this.context.proofs?.get(publicKey) !== undefined
  }

  /** Takes back what was granted to a key. */
  revoke(publicKey: string): void {
    this.unmapped.delete(publicKey)
    this.context.proofs?.revoke(publicKey)
  }

  /** What to sign. The same challenge again until it was answered: a client may ask twice before it answers. */
  get challenge(): Effect.Effect<Uint8Array> {
    const { now, proofs } = this.context
    if (proofs === undefined) return Effect.orDie(EventLogSessionAuth.makeSessionAuthChallenge)
    const current = proofs.current(now())
    return current === undefined ? proofs.issue(now()) : Effect.succeed(current)
  }

  /** Verifies an answer to the challenge, and takes the key. */
  readonly prove = Effect.fnUntraced(function* (
    this: Keys,
    payload: Payload<"EventLog.Authenticate">
  ): Effect.fn.Return<void, DomainError> {
    const { now, proofs, requests } = this.context
    if (proofs === undefined) return
    if (proofs.current(now()) === undefined) return yield* notProved("There is no challenge in force; say hello again")
    const claim = yield* requests.verify(payload)
    yield* requests.accept(claim).pipe(
      Effect.catchIf(isNotMapped, () => this.remember(claim)),
      Effect.catchIf(isRetryable, (error) => Effect.delay(notProved(messageOf(error)), askAgainMillis))
    )
  })

  /** Fails unless something may be asked for on this connection; with the key, unless it may be asked for with that. */
  readonly require = Effect.fnUntraced(function* (
    this: Keys,
    publicKey?: string | undefined
  ): Effect.fn.Return<void, RequestError> {
    yield* this.retry
    if (publicKey === undefined ? !this.isTrusted && this.unmapped.size > 0 : this.unmapped.has(publicKey)) {
      return yield* new RequestError({ reason: "NotMapped", message: "The public key belongs to no store" })
    }
    if (!this.isTrusted) return yield* notProved("This connection has proved no key")
  })

  /** Looks whether keys belong to a store by now. */
  private readonly retry: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.context.now()
    if (this.unmapped.size === 0 || now - this.triedAt < retryMillis) return Effect.void
    this.triedAt = now
    return Effect.forEach([...this.unmapped.values()], (claim) => this.retryOne(claim), { discard: true })
  })

  private retryOne(claim: IdentityClaim): Effect.Effect<void> {
    const forget = () => void this.unmapped.delete(claim.publicKey)
    return Effect.match(this.context.requests.accept(claim), {
      onSuccess: forget,
      onFailure: (error) => {
        if (!isNotMapped(error) && !isRetryable(error)) forget()
      }
    })
  }

  private remember(claim: IdentityClaim): Effect.Effect<void, RequestError> {
    const { maxKeys } = this.context.limits
    if (!this.unmapped.has(claim.publicKey) && this.unmapped.size + (this.context.proofs?.size ?? 0) >= maxKeys) {
      return Effect.fail(new RequestError({ reason: "Limit", message: `A connection may prove ${maxKeys} keys` }))
    }
    this.unmapped.set(claim.publicKey, claim)
    return Effect.void
  }
}

/** What a failure is in the words of our own protocol. */
const frameOf = (error: DomainError) => toErrorFrame(error, { requestTag: "Authenticate" })

const isNotMapped = (error: DomainError): boolean => frameOf(error).reason === "NotMapped"
const isRetryable = (error: DomainError): boolean => frameOf(error).retryable
const messageOf = (error: DomainError): string => frameOf(error).message

const notProved = (message: string) => Effect.fail(new RequestError({ reason: "NotProved", message }))

import { Cause, Context, Duration, Effect, Exit, type Fiber, Layer } from "effect"
import type { EventJournal } from "effect/eventlog"
import { EventLogServerAuth, type EventLogServerAuthError, type IdentityClaim } from "../backend/EventLogServerAuth.ts"
import {
  EventLogServerStoreRegistry,
  type EventLogServerStoreRegistryError
} from "../backend/EventLogServerStoreRegistry.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { makeTimeouts } from "../containment/Timeouts.ts"
import { RequestError } from "../wire/errors.ts"
import { called, goOn } from "./atOnce.ts"
import type { Run } from "./runner.ts"
import { checkStoreId } from "./storeId.ts"

/** Why a key may not do something, or can't be told now. */
export type AccessError = EventLogServerAuthError | EventLogServerStoreRegistryError | RequestError

/**
 * What a key may do, and on which store: `EventLogServerAuth` and the registry, asked in the right order and contained.
 * A callback that throws, dies, interrupts itself or doesn't answer within `authTimeout` is an outage, never a refusal.
 */
export class Access extends Context.Service<
  Access,
  {
    /** Whether a device that was never seen before gets a store. */
    readonly canEnroll: boolean
    /** Authorizes a batch, then resolves the store that it goes to. */
    readonly write: (
      publicKey: string,
      entries: ReadonlyArray<EventJournal.Entry>
    ) => Effect.Effect<StoreId, AccessError>
    /**
     * As `write`, but it begins when it is called, in fibers that `run` starts: where no callback has to be waited for, what it
     * returns is an `Exit`.
     */
    readonly writeAtOnce: (
      publicKey: string,
      entries: ReadonlyArray<EventJournal.Entry>,
      run: Run
    ) => Effect.Effect<StoreId, AccessError>
    /** Authorizes reading, then resolves the store. */
    readonly read: (publicKey: string) => Effect.Effect<StoreId, AccessError>
    /**
     * Accepts a key whose signature was verified: asks `authorizeIdentity`, then binds the signing key, enrolling the
     * device first where it was never seen. Nothing is bound for a key that is neither mapped nor enrolled.
     */
    readonly prove: (claim: IdentityClaim) => Effect.Effect<void, AccessError>
    /** Whether the claim's signing key is still the one bound to its public key. */
    readonly isStillBound: (claim: IdentityClaim) => Effect.Effect<boolean, AccessError>
  }
>()("@eventlog-server/core/Access") {}

/** Whether an error says nothing about the key: who asks again later may get another answer. */
export const isOutage = (error: AccessError): boolean => error.reason === "Unavailable"

/** Whether two byte strings are equal. Not in constant time: it compares public keys. */
export const bytesEqual = (a: Uint8Array, b: Uint8Array): boolean =>
  a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index])

const unavailable = (message: string) => new RequestError({ reason: "Unavailable", message })
const otherKeyBound = () =>
  new RequestError({ reason: "BadProof", message: "Another signing key is bound to this public key" })
const wrongStore = () =>
  new RequestError({ reason: "AlreadyAssigned", message: "This public key belongs to another store" })

/** A store id that no store can have is a defect of the app, and nothing for a client to know. */
const orDieIfInvalid = (storeId: StoreId): Effect.Effect<StoreId> =>
  Effect.orDie(Effect.mapError(checkStoreId(storeId), ({ message }) => new Error(`enroll named no store. ${message}`)))

/** What a callback came to: whatever is neither a value nor a failure is an outage. */
const contain = <A, E>(exit: Exit.Exit<A, E>): Effect.Effect<A, E | RequestError> =>
  Exit.isSuccess(exit) || Cause.hasFails(exit.cause)
    ? exit
    : Effect.andThen(
        Effect.logError("An authorization callback failed", exit.cause),
        Effect.fail(unavailable("The authorization is not available"))
      )

/** The access rules over the auth and registry ports. */
export const layerAccess = (options: {
  readonly authTimeout: Duration.Duration
}): Layer.Layer<Access, never, EventLogServerAuth | EventLogServerStoreRegistry> =>
  Layer.effect(
    Access,
    Effect.gen(function* () {
      const auth = yield* EventLogServerAuth
      const registry = yield* EventLogServerStoreRegistry

      const timeouts = yield* makeTimeouts(Duration.toMillis(options.authTimeout))

      /** Waits for a callback no longer than `authTimeout`, even one that can't be interrupted. */
      const inTime = <A, E extends AccessError>(work: Fiber.Fiber<A, E>): Effect.Effect<A, E | RequestError> =>
        Effect.callback<A, E | RequestError>((resume) => {
          const onTimeout = () => {
            // First, since an interrupted callback has answered, too.
            resume(Effect.fail(unavailable("The authorization did not answer in time")))
            work.interruptUnsafe()
          }
          timeouts.start(onTimeout)
          work.addObserver((exit) => {
            timeouts.cancel(onTimeout)
            resume(contain(exit))
          })
          return Effect.sync(() => {
            timeouts.cancel(onTimeout)
            work.interruptUnsafe()
          })
        })

      /** Asks a callback now. One that has its answer at hand needs no fiber, and one that has it soon nobody who waits. */
      const ask = <A, E extends AccessError>(
        callback: () => Effect.Effect<A, E>,
        run: Run
      ): Effect.Effect<A, E | RequestError> => {
        const answer = called(callback)
        if (Exit.isExit(answer)) return contain(answer as Exit.Exit<A, E>)
        const work = run(answer)
        const exit = work.pollUnsafe()
        return exit === undefined ? inTime(work) : contain(exit)
      }

      const contained = <A, E extends AccessError>(
        callback: () => Effect.Effect<A, E>
      ): Effect.Effect<A, E | RequestError> =>
        Effect.withFiber((fiber) => ask(callback, Effect.runForkWith(fiber.context)))

      const resolve = (publicKey: string) => contained(() => registry.resolve(publicKey))

      const writeAtOnce: Access["Service"]["writeAtOnce"] = (publicKey, entries, run) =>
        goOn(
          ask(() => auth.authorizeWrite({ publicKey, entries }), run),
          () => ask(() => registry.resolve(publicKey), run)
        )

      const bind = Effect.fnUntraced(function* (claim: IdentityClaim) {
        const bound = yield* contained(() => registry.bind(claim))
        if (!bytesEqual(bound, claim.signingPublicKey)) return yield* otherKeyBound()
      })

      const enroll = Effect.fnUntraced(function* (
        claim: IdentityClaim,
        callback: NonNullable<EventLogServerAuth["Service"]["enroll"]>
      ) {
        const storeId = yield* contained(() => Effect.flatMap(callback(claim), orDieIfInvalid))
        const mapping = yield* contained(() => registry.enroll({ ...claim, storeId }))
        if (mapping.storeId !== storeId) return yield* wrongStore()
        if (mapping.signingPublicKey === undefined) return yield* bind(claim)
        if (!bytesEqual(mapping.signingPublicKey, claim.signingPublicKey)) return yield* otherKeyBound()
      })

      return Access.of({
        canEnroll: auth.enroll !== undefined,
        write: (publicKey, entries) =>
          Effect.withFiber((fiber) => writeAtOnce(publicKey, entries, Effect.runForkWith(fiber.context))),
        writeAtOnce,
        read: (publicKey) =>
          Effect.andThen(
            contained(() => auth.authorizeRead(publicKey)),
            resolve(publicKey)
          ),
        prove: Effect.fn("EventLogServer.prove")(function* (claim) {
          if (auth.authorizeIdentity !== undefined) yield* contained(() => auth.authorizeIdentity!(claim))
          return yield* bind(claim).pipe(
            Effect.catchIf(
              (error) => error.reason === "NotMapped" && auth.enroll !== undefined,
              () => enroll(claim, auth.enroll!)
            )
          )
        }),
        isStillBound: (claim) =>
          Effect.map(
            contained(() => registry.bind(claim)),
            (bound) => bytesEqual(bound, claim.signingPublicKey)
          )
      })
    })
  )

import { Effect } from "effect"
import type { Connection } from "./Connection.ts"
import type { Grants } from "./Grants.ts"

/** Connections whose keys are looked up at the same time: a storage makes one statement of them. */
const keysAtOnce = 1_000

/** Connections whose callbacks are asked at the same time: enough to hide latency, too few to flood what they ask. */
const readsAtOnce = 128

/** How long a callback has a place among them. One that takes longer goes on without, so that it delays nobody. */
const placeMillis = 100

/** Whose grants are checked. */
export interface Rechecked {
  readonly connections: () => ReadonlySet<Connection>
  /** Readers that have no connection. */
  readonly guests: ReadonlySet<Grants>
}

const grantsOf = (subject: Connection | Grants): Grants | undefined => ("check" in subject ? subject.grants : subject)

/** Checks again what keys were granted: of all, or of one key at once. */
export const rechecking = ({ connections, guests }: Rechecked) => {
  /** Those whose check takes so long that another one would only wait behind it. */
  const underWay = new Set<Connection | Grants>()

  const check = (subject: Connection | Grants, of: (grants: Grants) => Effect.Effect<void>): Effect.Effect<void> =>
    "check" in subject ? subject.check(of) : of(subject)

  const readsOf = (subject: Connection | Grants): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (underWay.has(subject)) return Effect.void
      underWay.add(subject)
      return Effect.ensuring(
        check(subject, (grants) => grants.recheckReads()),
        Effect.sync(() => void underWay.delete(subject))
      )
    })

  const all = (): ReadonlyArray<Connection | Grants> => [...connections(), ...guests]

  const recheckAll = (): Effect.Effect<void> => {
    const subjects = all()
    return Effect.andThen(
      Effect.forEach(subjects, (subject) => check(subject, (grants) => grants.recheckKeys()), {
        concurrency: keysAtOnce,
        discard: true
      }),
      Effect.forEach(subjects, (subject) => placed(readsOf(subject)), { concurrency: readsAtOnce, discard: true })
    )
  }

  const checkKey = (publicKey: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const concerned = all().filter((subject) => grantsOf(subject)?.uses(publicKey))
      const of = (grants: Grants) => Effect.andThen(grants.recheckKeys(publicKey), grants.recheckReads(publicKey))
      return Effect.forEach(concerned, (subject) => check(subject, of), { concurrency: "unbounded", discard: true })
    })

  return {
    /** Everybody who is there now. */
    recheckAll,
    /** The access of a key was changed here. */
    recheck: (publicKey: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        for (const subject of all()) grantsOf(subject)?.accessChanged(publicKey)
        return checkKey(publicKey)
      }),
    /** Somebody says that the access of a key may have changed. */
    heed: (publicKey: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        for (const subject of all()) grantsOf(subject)?.doubt(publicKey)
        return checkKey(publicKey)
      })
  }
}

/** Waits for a check as long as it may have a place; it goes on by itself after that. */
const placed = (check: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.flatMap(Effect.forkDetach(check, { startImmediately: true }), (fiber) =>
    fiber.pollUnsafe() !== undefined
      ? Effect.void
      : Effect.asVoid(
          Effect.timeoutOption(
            Effect.callback<void>((resume) => void fiber.addObserver(() => resume(Effect.void))),
            placeMillis
          )
        )
  )

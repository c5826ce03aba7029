import { Effect } from "effect"
import { expect } from "vitest"
import type { EventLogServerStoreRegistryError } from "../../backend/EventLogServerStoreRegistry.ts"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshName, freshStoreId } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"

/** One key, its store, another store, and signing keys to tell apart. */
const situation = () => ({
  publicKey: freshName("key"),
  own: freshStoreId(),
  other: freshStoreId(),
  first: new Uint8Array(32).fill(1),
  second: new Uint8Array(32).fill(2)
})

type Situation = ReturnType<typeof situation>
type Registry = Node["registry"]
type Step = (registry: Registry, s: Situation) => Effect.Effect<unknown, EventLogServerStoreRegistryError>

const assign: Step = (registry, { own, publicKey }) => registry.assign({ publicKey, storeId: own })
const assignWithKey: Step = (registry, { first, own, publicKey }) =>
  registry.assign({ publicKey, storeId: own, signingPublicKey: first })
const reassign: Step = (registry, { other, publicKey }) => registry.assign({ publicKey, storeId: other })
const reassignWithKey: Step = (registry, { other, publicKey, second }) =>
  registry.assign({ publicKey, storeId: other, signingPublicKey: second })
const rebind: Step = (registry, { own, publicKey, second }) =>
  registry.assign({ publicKey, storeId: own, signingPublicKey: second })
const enroll: Step = (registry, { own, publicKey, second }) =>
  registry.enroll({ publicKey, storeId: own, signingPublicKey: second })
const enrollElsewhere: Step = (registry, { other, publicKey, second }) =>
  registry.enroll({ publicKey, storeId: other, signingPublicKey: second })
const bind: Step = (registry, { publicKey, second }) => registry.bind({ publicKey, signingPublicKey: second })
const remove: Step = (registry, { publicKey }) => registry.remove(publicKey)
const resolve: Step = (registry, { publicKey }) => registry.resolve(publicKey)

const histories = {
  "never mapped": [],
  assigned: [assign],
  "assigned with a signing key": [assignWithKey],
  removed: [assign, remove],
  "removed with a signing key": [assignWithKey, remove]
} as const satisfies Record<string, ReadonlyArray<Step>>

/** What a step answers, and the mapping afterwards: whether it resolves, and the signing key bound (1, 2 or none). */
interface Outcome {
  readonly answers: unknown
  readonly mapped: boolean
  readonly bound: number | undefined
}

const done = (mapped: boolean, bound: number | undefined, answers: unknown = "done"): Outcome => ({
  answers,
  mapped,
  bound
})

const matrix: Record<keyof typeof histories, ReadonlyArray<readonly [name: string, step: Step, outcome: Outcome]>> = {
  "never mapped": [
    ["resolve", resolve, done(false, undefined, "NotMapped")],
    ["assign", assign, done(true, undefined)],
    ["assign with a key", rebind, done(true, 2)],
    ["enroll", enroll, done(true, 2, { store: "own", bound: 2 })],
    ["bind", bind, done(false, undefined, "NotMapped")],
    ["remove", remove, done(false, undefined)]
  ],
  assigned: [
    ["resolve", resolve, done(true, undefined, "own")],
    ["assign", assign, done(true, undefined)],
    ["assign with a key", rebind, done(true, 2)],
    ["assign to another store", reassign, done(true, undefined, "AlreadyAssigned")],
    ["assign to another store with a key", reassignWithKey, done(true, undefined, "AlreadyAssigned")],
    ["enroll", enroll, done(true, undefined, { store: "own", bound: undefined })],
    ["enroll in another store", enrollElsewhere, done(true, undefined, { store: "own", bound: undefined })],
    ["bind", bind, done(true, 2, 2)],
    ["remove", remove, done(false, undefined)]
  ],
  "assigned with a signing key": [
    ["resolve", resolve, done(true, 1, "own")],
    ["assign", assign, done(true, 1)],
    ["assign with a key", rebind, done(true, 2)],
    ["assign to another store", reassign, done(true, 1, "AlreadyAssigned")],
    ["assign to another store with a key", reassignWithKey, done(true, 1, "AlreadyAssigned")],
    ["enroll", enroll, done(true, 1, { store: "own", bound: 1 })],
    ["enroll in another store", enrollElsewhere, done(true, 1, { store: "own", bound: 1 })],
    ["bind", bind, done(true, 1, 1)],
    ["remove", remove, done(false, undefined)]
  ],
  removed: [
    ["resolve", resolve, done(false, undefined, "NotMapped")],
    ["assign", assign, done(true, undefined)],
    ["assign with a key", rebind, done(true, 2)],
    ["assign to another store", reassign, done(false, undefined, "AlreadyAssigned")],
    ["assign to another store with a key", reassignWithKey, done(false, undefined, "AlreadyAssigned")],
    ["enroll", enroll, done(false, undefined, "NotMapped")],
    ["enroll in another store", enrollElsewhere, done(false, undefined, "NotMapped")],
    ["bind", bind, done(false, undefined, "NotMapped")],
    ["remove", remove, done(false, undefined)]
  ],
  "removed with a signing key": [
    ["resolve", resolve, done(false, undefined, "NotMapped")],
    ["assign", assign, done(true, 1)],
    ["assign with a key", rebind, done(true, 2)],
    ["assign to another store", reassign, done(false, undefined, "AlreadyAssigned")],
    ["enroll", enroll, done(false, undefined, "NotMapped")],
    ["bind", bind, done(false, undefined, "NotMapped")]
  ]
}

const nameStore = (storeId: unknown, s: Situation) =>
  storeId === s.own ? "own" : storeId === s.other ? "other" : storeId

/** A step's answer, with stores and signing keys named. */
const describeAnswer = (answer: unknown, s: Situation): unknown => {
  if (answer === undefined) return "done"
  if (answer instanceof Uint8Array) return answer[0]
  if (typeof answer === "string") return nameStore(answer, s)
  const { signingPublicKey, storeId } = answer as { storeId: StoreId; signingPublicKey: Uint8Array | undefined }
  return { store: nameStore(storeId, s), bound: signingPublicKey?.[0] }
}

/** The signing key in force, seen through `list`. */
const boundOf = Effect.fnUntraced(function* (registry: Registry, publicKey: string) {
  const mappings = yield* registry.list({ limit: 1_000_000 })
  return mappings.find((mapping) => mapping.publicKey === publicKey)
})

export const mapping: Topic = (check) => {
  for (const [history, steps] of Object.entries(histories)) {
    for (const [name, step, outcome] of matrix[history as keyof typeof histories]) {
      check(`${name}, when the key was ${history}`, ({ node, peer }) =>
        Effect.gen(function* () {
          const s = situation()
          for (const past of steps) yield* past(node.registry, s)
          const answers = yield* step(peer.registry, s).pipe(
            Effect.map((answer) => describeAnswer(answer, s)),
            Effect.catchTag("EventLogServerStoreRegistryError", ({ reason }) => Effect.succeed(reason))
          )
          expect(answers).toEqual(outcome.answers)

          const resolved = yield* Effect.option(node.registry.resolve(s.publicKey))
          expect(resolved._tag).toBe(outcome.mapped ? "Some" : "None")
          const listed = yield* boundOf(node.registry, s.publicKey)
          expect(listed !== undefined).toBe(outcome.mapped)
          expect(listed?.signingPublicKey?.[0]).toBe(outcome.bound)
          if (listed !== undefined) expect(listed.storeId).toBe(s.own)
        })
      )
    }
  }

  check("remembers a removed key's signing key, and gives it back with the key", ({ node }) =>
    Effect.gen(function* () {
      const s = situation()
      yield* assignWithKey(node.registry, s)
      yield* remove(node.registry, s)
      yield* assign(node.registry, s)
      expect(yield* bind(node.registry, s)).toEqual(s.first)
    })
  )

  check("says whose key it is that failed", ({ node }) =>
    Effect.gen(function* () {
      const s = situation()
      expect(yield* Effect.flip(node.registry.resolve(s.publicKey))).toMatchObject({ publicKey: s.publicKey })
      yield* assign(node.registry, s)
      expect(yield* Effect.flip(reassign(node.registry, s))).toMatchObject({ publicKey: s.publicKey })
    })
  )

  check("neither keeps nor hands out bytes of others", ({ node }) =>
    Effect.gen(function* () {
      const s = situation()
      yield* enroll(node.registry, s)
      s.second.fill(9)
      const bound = yield* node.registry.bind({ publicKey: s.publicKey, signingPublicKey: s.first })
      expect(Array.from(bound)).toEqual(Array.from(new Uint8Array(32).fill(2)))
      bound.fill(9)
      expect((yield* boundOf(node.registry, s.publicKey))?.signingPublicKey?.[0]).toBe(2)
    })
  )
}

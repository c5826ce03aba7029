import { Effect, Schedule, type Scope, Stream } from "effect"
import { expect } from "vitest"
import type { AccessChange, EventLogServerStoreRegistryError } from "../../backend/EventLogServerStoreRegistry.ts"
import { freshName, freshStoreId, range } from "../fixtures.ts"
import type { Node, Nodes } from "../harness.ts"
import type { Topic } from "../suite.ts"

type Registry = Node["registry"]

/** A mapped key, and its store. */
interface Key {
  readonly publicKey: string
  readonly storeId: ReturnType<typeof freshStoreId>
}

const signingKey = (byte: number) => new Uint8Array(32).fill(byte)

const freshKey = (registry: Registry, signingPublicKey?: Uint8Array) => {
  const key: Key = { publicKey: freshName("key"), storeId: freshStoreId() }
  return Effect.as(registry.assign({ ...key, signingPublicKey }), key)
}

const concerns =
  ({ publicKey }: Key) =>
  (change: AccessChange) =>
    change === "any" || change.publicKey === publicKey

/** Listens, and returns how to wait for the next note that may concern a key, once the first note has come. */
const listen = Effect.fnUntraced(function* (
  registry: Registry
): Effect.fn.Return<(key: Key) => Effect.Effect<void, unknown>, unknown, Scope.Scope> {
  const pull = yield* Stream.toPull(registry.changes)
  yield* pull
  const next = (key: Key): Effect.Effect<void, unknown> =>
    Effect.flatMap(pull, (changes) => (changes.some(concerns(key)) ? Effect.void : next(key)))
  return next
})

const listenOn = (nodes: ReadonlyArray<Node>) => Effect.forEach(nodes, ({ registry }) => listen(registry))

const isMapped = (registry: Registry, { publicKey }: Key) =>
  registry.resolve(publicKey).pipe(
    Effect.as(true),
    Effect.catchIf(
      ({ reason }) => reason === "NotMapped",
      () => Effect.succeed(false)
    )
  )

/** Goes on until the storage is back. */
const persist = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.retry(effect, Schedule.spaced("20 millis"))

/** Looks at keys after each note, as a server does, until none is mapped any more. It hangs where a note is missing. */
const untilRemoved = (
  registry: Registry,
  keys: ReadonlyArray<Key>
): Effect.Effect<void, EventLogServerStoreRegistryError> =>
  Effect.suspend(() => {
    const left = new Set(keys)
    const look = (key: Key) =>
      Effect.map(persist(isMapped(registry, key)), (mapped) => {
        if (!mapped) left.delete(key)
      })
    return registry.changes.pipe(
      Stream.retry(Schedule.spaced("20 millis")),
      Stream.mapEffect((change) =>
        Effect.forEach(
          Array.from(left).filter((key) => concerns(key)(change)),
          look,
          { concurrency: "unbounded", discard: true }
        )
      ),
      Stream.takeUntil(() => left.size === 0),
      Stream.runDrain
    )
  })

type Step = (registry: Registry, key: Key) => Effect.Effect<unknown, EventLogServerStoreRegistryError>

const assign: Step = (registry, key) => registry.assign(key)
const rebind: Step = (registry, key) => registry.assign({ ...key, signingPublicKey: signingKey(2) })
const remove: Step = (registry, { publicKey }) => registry.remove(publicKey)

/** What has to be told, and what leads up to it. */
const changes: Readonly<Record<string, { readonly before: ReadonlyArray<Step>; readonly change: Step }>> = {
  "the removal of a key": { before: [], change: remove },
  "the return of a key": { before: [remove], change: assign },
  "another signing key": { before: [], change: rebind },
  "another signing key for a key that returns": { before: [remove], change: rebind }
}

/** More than one: a note that was under way for another reason must not stand in for the one that is missing. */
const rounds = range(1, 3)

/** Keys that went through the same steps. */
const makeKeys = (registry: Registry, signingPublicKey: Uint8Array | undefined, steps: ReadonlyArray<Step> = []) =>
  Effect.forEach(rounds, () =>
    Effect.gen(function* () {
      const key = yield* freshKey(registry, signingPublicKey)
      for (const step of steps) yield* step(registry, key)
      return key
    })
  )

/** Changes keys on one node, one after the other, and waits until both were told of each. */
const expectTold = Effect.fnUntraced(function* ({ node, peer }: Nodes, keys: ReadonlyArray<Key>, change: Step) {
  const listeners = yield* listenOn([node, peer])
  for (const key of keys) {
    yield* change(node.registry, key)
    for (const next of listeners) yield* next(key)
  }
})

export const changesOfAccess: Topic = (check) => {
  check("emits any as soon as it listens", ({ node, peer }) =>
    Effect.gen(function* () {
      for (const { registry } of [node, peer, node]) {
        expect(yield* Stream.runCollect(Stream.take(registry.changes, 1))).toEqual(["any"])
      }
    })
  )

  for (const [name, { before, change }] of Object.entries(changes)) {
    check(`tells its own node and another one of ${name}`, (nodes) =>
      Effect.gen(function* () {
        yield* expectTold(nodes, yield* makeKeys(nodes.node.registry, signingKey(1), before), change)
      })
    )
  }

  check("tells of keys as long as they may be", (nodes) =>
    Effect.gen(function* () {
      const storeId = freshStoreId()
      const names = rounds.map(() => freshName("key"))
      const keys = names.map((name) => ({ publicKey: name + "é".repeat((512 - name.length) / 2), storeId }))
      for (const key of keys) yield* assign(nodes.node.registry, key)
      yield* expectTold(nodes, keys, remove)
    })
  )

  check("tells every listener, also when one has left", ({ node, peer }) =>
    Effect.gen(function* () {
      const keys = yield* makeKeys(node.registry, signingKey(1))
      const listeners = yield* listenOn([node, node, peer, peer])
      for (const key of keys) {
        yield* Effect.scoped(listenOn([node, peer]))
        yield* rebind(node.registry, key)
        yield* Effect.forEach(listeners, (next) => next(key), { concurrency: "unbounded" })
      }
    })
  )

  check("tells of each of many keys that are removed at once", ({ node, peer, scale }) =>
    Effect.gen(function* () {
      const keys = yield* Effect.forEach(range(1, 300 * scale), () => freshKey(node.registry), { concurrency: 10 })
      const removing = Effect.forEach(keys, (key) => remove(node.registry, key), { concurrency: 10 })
      yield* Effect.all([untilRemoved(peer.registry, keys), untilRemoved(node.registry, keys), removing], {
        concurrency: "unbounded"
      })
    })
  )

  check(
    "lets a server that looks after each note miss nothing, whenever it begins to listen",
    ({ node, peer, scale }) =>
      Effect.gen(function* () {
        for (let round = 0; round < 8 * scale; round++) {
          const key = yield* freshKey(node.registry)
          yield* Effect.all([untilRemoved(peer.registry, [key]), remove(node.registry, key)], {
            concurrency: "unbounded"
          })
        }
      })
  )

  check(
    "loses nothing in an outage",
    ({ node, outage, peer }) =>
      Effect.gen(function* () {
        for (const _round of range(1, 2)) {
          const keys = yield* Effect.forEach(range(1, 8), () => persist(freshKey(node.registry)))
          const course = Effect.gen(function* () {
            yield* Effect.promise(async () => outage?.begin())
            yield* Effect.sleep(100)
            yield* Effect.promise(async () => outage?.end())
          })
          const removing = Effect.forEach(keys, (key) => persist(remove(node.registry, key)))
          const watching = [node, peer].map(({ registry }) => untilRemoved(registry, keys))
          yield* Effect.all([...watching, removing, course], { concurrency: "unbounded" })
        }
      }),
    "outage"
  )
}

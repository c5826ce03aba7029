import { describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import { expect } from "vitest"
import type { FeedRecord } from "../../src/backend/FeedStore.ts"
import { CurrentAuthor } from "../../src/processing/handlers.ts"
import { commit, freshStoreId, Group, handlersOf, makeBackend, setRecord, startNode } from "./harness.ts"

class Prefix extends Context.Service<Prefix, string>()("test/Prefix") {}

describe("a handler is given", () => {
  it.effect("the store, its decoded payload, the entry, and who wrote it", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen: Array<unknown> = []
      const handlers = handlersOf(
        Effect.fnUntraced(function* ({ entry, payload, storeId }) {
          const identity = yield* EventLog.Identity
          seen.push({
            storeId,
            payload,
            id: entry.idString,
            author: yield* CurrentAuthor,
            publicKey: identity.publicKey,
            privateKey: Array.from(Redacted.value(identity.privateKey))
          })
        })
      )
      const node = yield* startNode(backend.services, handlers)
      const storeId = freshStoreId()
      const records = [setRecord(1, { author: "phone" }), setRecord(2, { author: null })]
      yield* commit(backend, node, storeId, records)
      yield* node.processing.processed(storeId, 2)
      const privateKey = Array.from(new Uint8Array(32))
      expect(seen).toEqual([
        {
          storeId,
          payload: { key: "key", value: 1 },
          id: records[0]?.entry.idString,
          author: "phone",
          publicKey: "phone",
          privateKey
        },
        {
          storeId,
          payload: { key: "key", value: 2 },
          id: records[1]?.entry.idString,
          author: null,
          publicKey: "eventlog-server",
          privateKey
        }
      ])
    })
  )

  it.effect("the services that its group was built with, and a scope that ends with it", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen: Array<string> = []
      const handlers = EventLog.group(Group, (handlers) =>
        handlers
          .handle("Set", ({ payload }) =>
            Effect.gen(function* () {
              const prefix = yield* Prefix
              yield* Effect.addFinalizer(() => Effect.sync(() => void seen.push(`${prefix} ${payload.value} closed`)))
              seen.push(`${prefix} ${payload.value}`)
            })
          )
          .handle("Noted", () => Effect.void)
      ).pipe(Layer.provide(Layer.succeed(Prefix, "set"))) as Layer.Layer<never, never, EventLog.Registry>
      const node = yield* startNode(backend.services, handlers)
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, [setRecord(1), setRecord(2)])
      yield* node.processing.processed(storeId, 2)
      expect(seen).toEqual(["set 1", "set 1 closed", "set 2", "set 2 closed"])
    })
  )

  it.effect("conflicts with their payloads, without those that can't be decoded", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen: Array<ReadonlyArray<number>> = []
      const handlers = handlersOf(({ conflicts }) =>
        Effect.sync(() => void seen.push(conflicts.map(({ payload }) => payload.value)))
      )
      const node = yield* startNode(backend.services, handlers)
      const storeId = freshStoreId()
      const at = (value: number) => setRecord(value, { id: EventJournal.makeEntryIdUnsafe({ msecs: 1_000 + value }) })
      yield* commit(backend, node, storeId, [at(5), garbled(at(7)), at(9), at(3), at(6), at(10)])
      yield* node.processing.processed(storeId, 6)
      expect(seen).toEqual([[], [], [5, 9], [9], []])
    })
  )
})

describe("reactivity", () => {
  it.effect("invalidates the keys of an event after its handler succeeded, and only then", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const seen: Array<string> = []
      const handlers = handlersOf(({ payload }) => {
        seen.push(`handler ${payload.value}`)
        return payload.value === 2 ? Effect.fail("no") : Effect.void
      })
      const node = yield* startNode(backend.services, handlers)
      yield* node.registry.registerReactivity({ Set: ["lists", "counts"], Renamed: ["names"] })
      // A listener of one id of a key, which effect names so.
      node.reactivity.registerUnsafe(["lists:a"], () => seen.push("lists a"))
      node.reactivity.registerUnsafe(["counts:b"], () => seen.push("counts b"))
      node.reactivity.registerUnsafe(["names"], () => seen.push("names"))
      const storeId = freshStoreId()
      const renamed = setRecord(4, { key: "a" })
      yield* commit(backend, node, storeId, [
        setRecord(1, { key: "a" }),
        setRecord(2, { key: "a" }),
        setRecord(3, { key: "b" }),
        { ...renamed, entry: new EventJournal.Entry({ ...renamed.entry, event: "Renamed" }, { disableChecks: true }) }
      ])
      yield* node.processing.processed(storeId, 4)
      expect(seen).toEqual(["handler 1", "lists a", "handler 2", "handler 3", "counts b"])
    })
  )

  it.effect("contains a listener that throws", () =>
    Effect.gen(function* () {
      const backend = yield* makeBackend
      const node = yield* startNode(
        backend.services,
        handlersOf(() => Effect.void)
      )
      yield* node.registry.registerReactivity({ Set: ["lists"] })
      node.reactivity.registerUnsafe(["lists"], () => {
        throw new Error("a bug in the listener")
      })
      const storeId = freshStoreId()
      yield* commit(backend, node, storeId, [setRecord(1), setRecord(2)])
      yield* node.processing.processed(storeId, 2)
      expect(node.processing.stats().handlerFailures).toBe(0)
    })
  )
})

const garbled = (record: FeedRecord): FeedRecord => ({
  ...record,
  entry: new EventJournal.Entry({ ...record.entry, payload: Uint8Array.from([255, 255, 255]) }, { disableChecks: true })
})

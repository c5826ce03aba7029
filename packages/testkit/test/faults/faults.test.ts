import { type Backend, memoryBackend } from "@eventlog-server/core"
import { EventLogServerStoreRegistry, FeedStore } from "@eventlog-server/core/backend"
import { StoreId } from "@eventlog-server/core/effect"
import { Context, Effect, Exit, Layer, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { behindNetwork, faultKinds, faultyBackend, withFeedStore } from "../../src/faults/index.ts"
import { makeRecord } from "../../src/schema/index.ts"

const storeId = StoreId.make("store")
const page = { maxEntries: 10, maxBytes: 1_000 }

/** Uses the ports of a backend. */
const using = <A>(
  { layer }: Backend,
  use: (feeds: FeedStore["Service"], registry: EventLogServerStoreRegistry["Service"]) => Effect.Effect<A, unknown>
): Promise<A> =>
  Effect.gen(function* () {
    const services = yield* Layer.build(layer)
    return yield* use(Context.get(services, FeedStore), Context.get(services, EventLogServerStoreRegistry))
  }).pipe(Effect.scoped, Effect.runPromise)

const append = (feeds: FeedStore["Service"]) => Effect.exit(feeds.append(storeId, [makeRecord()]))

describe("a faulty backend", () => {
  it.each(faultKinds)("fails the call that it was told to, %s, and no other", async (kind) => {
    const { backend, calls } = faultyBackend(memoryBackend(), { member: "FeedStore.append", nth: 2, kind })
    const { exits, head } = await using(backend, (feeds) =>
      Effect.gen(function* () {
        const exits = [yield* append(feeds), yield* append(feeds), yield* append(feeds)]
        return { exits, head: (yield* feeds.read(storeId, 1, page)).head }
      })
    )
    expect(exits.map(Exit.isSuccess)).toEqual([true, false, true])
    expect(head).toBe(kind === "afterwards" ? 3 : 2)
    expect(Object.fromEntries(calls)).toEqual({ "FeedStore.append": 3, "FeedStore.read": 1 })
  })

  it("fails a stream after its first element", async () => {
    const fault = { member: "FeedStore.wakeups", nth: 1, kind: "afterwards" } as const
    const { backend } = faultyBackend(memoryBackend(), fault)
    const exit = await using(backend, (feeds) => Effect.exit(Stream.runDrain(feeds.wakeups(storeId))))
    expect(Exit.isFailure(exit)).toBe(true)
  })
})

describe("a backend behind a network", () => {
  it("does the first commit of an outage without an answer, and nothing else until it is over", async () => {
    const { outage, ...backend } = behindNetwork(memoryBackend())
    const { during, head } = await using(backend, (feeds, registry) =>
      Effect.gen(function* () {
        yield* append(feeds)
        yield* Effect.promise(outage.begin)
        const during = [
          (yield* append(feeds))._tag,
          (yield* append(feeds))._tag,
          (yield* Effect.exit(registry.resolve("key")))._tag
        ]
        yield* Effect.promise(outage.end)
        return { during, head: (yield* feeds.read(storeId, 1, page)).head }
      })
    )
    expect(during).toEqual(["Failure", "Failure", "Failure"])
    expect(head).toBe(2)
  })

  it("ends the streams that are open", async () => {
    const { outage, ...backend } = behindNetwork(memoryBackend())
    const exit = await using(backend, (feeds) =>
      Effect.exit(Stream.runForEach(feeds.wakeups(storeId), () => Effect.promise(outage.begin)))
    )
    expect(Exit.isFailure(exit)).toBe(true)
  })
})

it("wraps members of a feed store, and leaves the others as they are", async () => {
  let reads = 0
  const backend = withFeedStore(memoryBackend(), (store) => ({
    read: (...args) => {
      reads++
      return store.read(...args)
    }
  }))
  const { head } = await using(backend, (feeds) => Effect.andThen(append(feeds), feeds.read(storeId, 1, page)))
  expect([head, reads]).toEqual([1, 1])
})

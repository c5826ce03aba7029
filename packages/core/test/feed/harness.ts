import { makeRecord } from "@eventlog-server/testkit/schema"
import { Context, Effect, Exit, Fiber, Latch, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { FeedAdmin } from "../../src/backend/FeedAdmin.ts"
import { FeedStore, type PageLimits } from "../../src/backend/FeedStore.ts"
import { StoreId } from "../../src/backend/StoreId.ts"
import { layerContinuity } from "../../src/continuity/continuity.ts"
import { Feed, layerFeed } from "../../src/feed/feed.ts"
import { pauseMillis } from "../../src/feed/News.ts"
import type { Page } from "../../src/feed/page.ts"
import type { Sink } from "../../src/feed/sink.ts"
import { layerOf, makeMemoryState } from "../../src/memory/backend.ts"

export const storeId = StoreId.make("store")

type Members = FeedStore["Service"]

/** A record with a payload of so many bytes. */
export const record = (payload = 8) => makeRecord({ event: "E", primaryKey: "k", payload, author: "device" })

export const range = (from: number, to: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)

/** The feed room over a memory backend, and what is behind it. */
export const makeScene = Effect.fnUntraced(function* (
  limits: Partial<PageLimits> = {},
  wrap: (store: Members) => Partial<Members> = () => ({})
) {
  const state = makeMemoryState()
  const services = yield* Layer.build(layerOf(state))
  const store = Context.get(services, FeedStore)
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const layer = layerFeed({ maxEntries: 4, maxBytes: 1024, ...limits }).pipe(
    Layer.provideMerge(layerContinuity(() => {})),
    Layer.provide(Layer.succeedContext(Context.add(services, FeedStore, { ...store, ...wrap(store) })))
  )
  const built = yield* Layer.buildWithScope(layer, scope)
  const guarded = Context.get(built, FeedStore)
  return {
    store,
    admin: Context.get(services, FeedAdmin),
    feed: Context.get(built, Feed),
    /** Appends as this node does, which knows its own entries then. */
    commit: (count: number) =>
      guarded.append(
        storeId,
        range(1, count).map(() => record())
      ),
    append: (count: number) =>
      store.append(
        storeId,
        range(1, count).map(() => record())
      ),
    state,
    /** How many tails listen to the store. */
    listeners: () => state.feeds.listeners.count(storeId),
    close: Scope.close(scope, Exit.void)
  }
})
export type Scene = Effect.Success<ReturnType<typeof makeScene>>

/** A sink that writes down what it is given, and has room when the test says so. */
export class RecordingSink implements Sink {
  readonly sequences: Array<number> = []
  readonly heads: Array<number> = []
  readonly pages: Array<Page> = []
  private readonly latch = Latch.makeUnsafe(true)
  private isOpen = true

  readonly deliver = (page: Page, from: number): void => {
    this.pages.push(page)
    this.sequences.push(...page.entries.slice(from).map(({ remoteSequence }) => remoteSequence))
  }
  readonly ready = (): boolean => this.isOpen
  readonly drained = this.latch.await
  readonly caughtUp = (head: number): void => void this.heads.push(head)

  fill(): void {
    this.isOpen = false
    this.latch.closeUnsafe()
  }

  drain(): void {
    this.isOpen = true
    this.latch.openUnsafe()
  }
}

/** Subscribes a sink, until the fiber is interrupted. */
export const subscribe = Effect.fnUntraced(function* (scene: Scene, sink: Sink, startSequence = 0) {
  const opened = yield* scene.feed.open(storeId, startSequence)
  return yield* Effect.forkChild(opened.run(sink), { startImmediately: true })
})

/** Lets every fiber go on until all of them wait. */
export const settle: Effect.Effect<void> = Effect.repeat(Effect.yieldNow, { times: 50 })

/** The same, once the pause of a feed that has grown is over. */
export const settleLater: Effect.Effect<void> = Effect.andThen(
  settle,
  Effect.andThen(TestClock.adjust(pauseMillis), settle)
)

export const interrupt = Fiber.interrupt

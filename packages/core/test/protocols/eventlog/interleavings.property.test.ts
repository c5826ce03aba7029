import type { Wire } from "@eventlog-server/testkit/devices"
import { todosAdded } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { expect, it } from "vitest"
import type { ProtocolResponseUnencrypted } from "../../../src/wire/messages.ts"
import { makeScene, type Scene, type SceneOptions, storeId } from "../../connection/harness.ts"

const keys = ["A", "B"] as const
type Key = (typeof keys)[number]
const runs = process.env.EVENTLOG_TEST_LONG === undefined ? 40 : 2_000

type Step =
  | { readonly do: "connect" }
  | { readonly do: "cut" | "stop" | "subscribe" | "write"; readonly who: number; readonly key: Key }
  | { readonly do: "remove" | "assign"; readonly key: Key }
  | { readonly do: "server write" }
  | { readonly do: "wait"; readonly turns: number }

const who = fc.nat(3)
const key = fc.constantFrom(...keys)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ do: "connect" as const }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "cut" as const,
        "stop" as const,
        "subscribe" as const,
        "subscribe" as const,
        "write" as const
      ),
      who,
      key
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("remove" as const, "assign" as const), key }) },
  { weight: 2, arbitrary: fc.constant({ do: "server write" as const }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("wait" as const), turns: fc.nat(6) }) }
)

/** Parts that give everybody else a few turns before and after each call, as those that are not in memory do. */
const yielding = (turns: ReadonlyArray<number>): SceneOptions => {
  let calls = 0
  const pause = Effect.suspend(() => Effect.repeat(Effect.yieldNow, { times: turns[calls++ % turns.length]! }))
  const around = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.andThen(
      pause,
      Effect.tap(call, () => pause)
    )
  return {
    auth: { authorizeRead: () => pause, authorizeWrite: () => pause },
    wrapRegistry: (registry) => ({
      resolve: (...args) => around(registry.resolve(...args)),
      remove: (...args) => around(registry.remove(...args))
    }),
    wrapStore: (store) => ({
      read: (...args) => around(store.read(...args)),
      append: (...args) => around(store.append(...args))
    })
  }
}

const isOf = (key: Key) => (message: ProtocolResponseUnencrypted) =>
  (message._tag === "Changes" || message._tag === "Subscribed" || message._tag === "CaughtUp") &&
  message.publicKey === key

/** A connection sees nothing of a key from its removal on until it is mapped again. */
class Removals {
  private readonly since = new Map<Key, ReadonlyMap<Wire, number>>()

  begin(key: Key, wires: ReadonlyArray<Wire>): void {
    this.since.set(key, new Map(wires.map((wire) => [wire, wire.received.length])))
  }

  /** Checks what came meanwhile. */
  end(key: Key, wires: ReadonlyArray<Wire>): void {
    const since = this.since.get(key)
    this.since.delete(key)
    if (since === undefined) return
    for (const wire of wires) expect(wire.received.slice(since.get(wire) ?? 0).filter(isOf(key))).toEqual([])
  }
}

/** Each subscription begins with `Subscribed`, goes on without gaps, and says nothing once another took its place. */
const checkSubscriptions = (wire: Wire, key: Key): void => {
  let current: { readonly id: number | undefined; next: number | undefined } | undefined
  for (const message of wire.received.filter(isOf(key))) {
    if (message._tag === "Subscribed") current = { id: message.id, next: undefined }
    if (message._tag === "Hello" || !("id" in message)) continue
    expect(message.id).toBe(current?.id)
    if (message._tag !== "Changes" || current === undefined) continue
    for (const { remoteSequence } of message.entries) {
      expect(remoteSequence).toBe(current.next ?? remoteSequence)
      current.next = remoteSequence + 1
    }
  }
}

class Play {
  readonly wires: Array<Wire> = []
  private readonly removals = new Removals()
  private readonly scene: Scene

  constructor(scene: Scene) {
    this.scene = scene
  }

  perform(step: Step): Effect.Effect<unknown, unknown> {
    const { connect, server } = this.scene
    switch (step.do) {
      case "connect":
        return Effect.sync(() => this.wires.push(connect({ bufferedBytes: () => 0 })))
      case "wait":
        return Effect.repeat(Effect.yieldNow, { times: step.turns })
      case "server write":
        return server.writeToStore({ storeId, entries: todosAdded(2) })
      case "remove":
        return Effect.tap(server.remove(step.key), () => Effect.sync(() => this.removals.begin(step.key, this.wires)))
      case "assign":
        return Effect.suspend(() => {
          this.removals.end(step.key, this.wires)
          return server.assign({ publicKey: step.key, storeId })
        })
      default:
        return Effect.sync(() => this.act(step))
    }
  }

  private act({ do: what, key, who }: Extract<Step, { readonly who: number }>): void {
    const wire = this.wires[who]
    if (wire === undefined) return
    if (what === "cut") wire.cut()
    if (what === "stop") wire.request({ _tag: "StopChanges", publicKey: key })
    if (what === "subscribe") wire.subscribe(0, key)
    if (what === "write") wire.write(todosAdded(3), key)
  }

  /** In the end nothing was said that may not be said, and nothing is left behind. */
  readonly verify = Effect.suspend(() => {
    for (const key of keys) this.removals.end(key, this.wires)
    for (const wire of this.wires) {
      expect([wire.late, wire.closes]).toEqual([0, []])
      for (const key of keys) checkSubscriptions(wire, key)
      wire.cut()
    }
    return Effect.andThen(Effect.repeat(Effect.yieldNow, { times: 300 }), this.scene.server.stats)
  })
}

const play = Effect.fnUntraced(
  function* (steps: ReadonlyArray<Step>, turns: ReadonlyArray<number>) {
    const scene = yield* makeScene(yielding(turns))
    yield* scene.server.assign({ publicKey: "B", storeId })
    const play = new Play(scene)
    for (const step of steps) yield* play.perform(step)
    expect(yield* play.verify).toMatchObject({ connections: 0, subscriptions: 0, stores: 0 })
  },
  Effect.scoped,
  (effect) => Effect.provide(effect, TestClock.layer())
)

it("subscriptions keep their order, removed keys see nothing, and cut connections leave nothing, however calls interleave", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 60, size: "max" }),
      fc.array(fc.nat(4), { minLength: 1, maxLength: 12 }),
      (steps, turns) => Effect.runPromise(play(steps, turns))
    ),
    { numRuns: runs }
  ))

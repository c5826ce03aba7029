import type { Wakeup } from "@eventlog-server/core/backend"
import { Effect, Exit, Scope, Stream } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { expect, it, onTestFinished } from "vitest"
import { ActiveStores } from "../src/wakeups/ActiveStores.ts"

const storeId = EventLogMessage.StoreId.make("store")

/** Listens until the test is over, and returns how to get the next wake-up. */
const listen = async (stores: ActiveStores): Promise<() => Promise<Wakeup>> => {
  const scope = Scope.makeUnsafe()
  onTestFinished(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const pull = await Effect.runPromise(Scope.provide(Stream.toPull(stores.wakeups(storeId)), scope))
  const next = async () => (await Effect.runPromise(Effect.orDie(pull)))[0]
  expect(await next()).toEqual({})
  return next
}

it("tells how far a feed has come, and to look where it went back or was erased", async () => {
  const stores = new ActiveStores(() => {})
  const next = await listen(stores)
  const looks = [
    [{ head: 5, isErased: false }, { head: 5 }],
    [{ head: 7, isErased: false }, { head: 7 }],
    [{ head: 3, isErased: false }, {}],
    [{ head: 4, isErased: false }, { head: 4 }],
    [{ head: 0, isErased: true }, {}]
  ] as const
  for (const [sight, wakeup] of looks) {
    expect(stores.look(storeId, sight)).toBe(true)
    expect(stores.look(storeId, sight)).toBe(false)
    expect(await next()).toEqual(wakeup)
  }
})

it("forgets a store that nobody listens to any more", async () => {
  let activities = 0
  const stores = new ActiveStores(() => activities++)
  const sight = { head: 1, isErased: false }
  expect(stores.look(storeId, sight)).toBe(false)
  for (const _round of [1, 2]) {
    await Effect.runPromise(
      stores.wakeups(storeId).pipe(
        Stream.take(1),
        Stream.tap(() => Effect.sync(() => expect(stores.look(storeId, sight)).toBe(true))),
        Stream.runDrain
      )
    )
    expect(stores.ids).toEqual([])
  }
  expect(activities).toBe(2)
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { openLine, readFeed, startServer } from "../client/liveServer.ts"
import { openStockDevice } from "./stockDevice.ts"

describe("effect's own client", () => {
  it.live("syncs two devices", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const line = yield* openLine
      line.lead(server)
      const a = yield* openStockDevice(`${line.url}/rpc`)
      const b = yield* openStockDevice(`${line.url}/rpc`)
      yield* a.add("from a")
      yield* b.add("from b")
      while ((yield* a.next) < 3 || (yield* b.next) < 3) yield* Effect.sleep(5)
      assert.strictEqual((yield* readFeed(server)).length, 2)
    })
  )
})

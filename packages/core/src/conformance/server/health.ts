import { Effect } from "effect"
import { expect } from "vitest"
import type { Topic } from "../suite.ts"
import { away } from "./away.ts"
import { startClosableServer, startServer } from "./server.ts"

export const health: Topic = (check) => {
  check("is ok, for everybody who asks at the same time", ({ node, peer }) =>
    Effect.gen(function* () {
      for (const server of [yield* startServer(node), yield* startServer(peer)]) {
        yield* server.ready
        const answers = yield* Effect.all([server.health, server.health, server.health], { concurrency: "unbounded" })
        expect(answers).toEqual([{ status: "ok" }, { status: "ok" }, { status: "ok" }])
      }
    })
  )

  check(
    "tells of an outage in time, and of its end",
    (nodes) =>
      Effect.gen(function* () {
        const server = yield* startServer(nodes.node, { healthTimeout: 1_000 })
        yield* server.ready
        yield* away(
          nodes,
          Effect.gen(function* () {
            const error = yield* Effect.flip(server.ready)
            expect(error).toMatchObject({ _tag: "StorageError", retryable: true })
            expect(yield* server.health).toMatchObject({ status: "unavailable", error: { _tag: "StorageError" } })
          })
        )
        while ((yield* server.health).status !== "ok") yield* Effect.sleep(20)
        yield* server.ready
      }),
    "outage"
  )

  check("says that the server is closing", ({ node }) =>
    Effect.gen(function* () {
      const { close, server } = yield* startClosableServer(node)
      yield* server.drain
      expect(yield* server.health).toEqual({ status: "draining" })
      expect(yield* Effect.flip(server.ready)).toMatchObject({ _tag: "RequestError", reason: "ShuttingDown" })
      yield* close
    })
  )
}

import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { FeedStore } from "@eventlog-server/core/backend"
import { heldNow } from "@eventlog-server/testkit/heap"
import { addedSchema, silent, todoAdded } from "@eventlog-server/testkit/schema"
import { Effect, Layer } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { describe, expect, it, onTestFinished } from "vitest"
import { kyselyBackend } from "../src/index.ts"
import { databases } from "./databases/databases.ts"

const MiB = 1024 * 1024

/** MiB that can't be let go of. */
const heldMiB = (): number => heldNow() / MiB

const storeId = EventLogMessage.StoreId.make("notes")

const recordOf = (index: number, msecs: number, text: string) => ({
  entry: todoAdded(`key ${index}`, { msecs, text }),
  author: null,
  transportOnly: false
})

/** Keys that hold 1 MiB each. */
const keys = process.env.EVENTLOG_TEST_LONG === undefined ? 128 : 512

/** What a page's conflicts take, and what their payloads take once more when they are decoded. */
const boundMiB = 48

/** Those that run beside the tests, and take a megabyte in one statement. */
const tested = databases.filter(({ name }) => name === "postgres" || name === "sqlite")

for (const { away, name, open } of tested) {
  describe.skipIf(away !== undefined)(`conflicts on ${name}${away === undefined ? "" : `: ${away}`}`, () => {
    it("of a small page take little memory, however much its keys hold, and none is missing", async () => {
      const { db, options } = await open(4)
      const backend = kyselyBackend({ db, ...options })
      const now = Date.now()
      const indexes = Array.from({ length: keys }, (_, index) => index)
      const text = "x".repeat(MiB)
      const fill = FeedStore.use((feeds) =>
        Effect.gen(function* () {
          for (const index of indexes) yield* feeds.append(storeId, [recordOf(index, now, text)])
          yield* feeds.append(
            storeId,
            indexes.map((index) => recordOf(index, now - 60_000, ""))
          )
        })
      )
      await Effect.runPromise(Effect.provide(fill, Layer.fresh(backend.layer)))

      const before = heldMiB()
      let most = 0
      const conflicts: Array<number> = []
      const server = createEventLogServer({
        schema: addedSchema,
        handlers: {
          TodoAdded: async ({ conflicts: found, payload }) => {
            if (payload.text !== "") return
            if (conflicts.length % 16 === 0) most = Math.max(most, heldMiB() - before)
            conflicts.push(...found.map(({ payload }) => payload.text.length))
          }
        },
        backend,
        auth: allowAll,
        logger: silent
      })
      onTestFinished(() => server.close())
      await server.processed({ storeId, sequence: 2 * keys })
      expect(conflicts).toEqual(indexes.map(() => MiB))
      expect(most, `${Math.ceil(most)} MiB`).toBeLessThan(boundMiB)
    }, 120_000)
  })
}

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { WebSocket } from "ws"
import { untilStatus } from "./fixtures.ts"
import { openLine, startServer } from "./liveServer.ts"
import { openDevice } from "./todos.ts"

const count = 3_000

/** A websocket that counts the bytes that arrive. */
const countingWebSocket = () => {
  let bytes = 0
  const Class = class extends WebSocket {
    constructor(url: string, protocols?: string | Array<string>) {
      super(url, protocols)
      this.on("message", (data: Buffer) => {
        bytes += data.byteLength
      })
    }
  }
  return { Class, bytes: () => bytes }
}

describe("a device that takes a history in portions", () => {
  it.live("is sent nothing twice, however small its portions are", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const line = yield* openLine
      line.lead(server)
      yield* Effect.forEach(
        Array(count).keys(),
        (index) =>
          Effect.promise(() =>
            server.write({ storeId: "family", event: "TodoAdded", payload: { id: `${index}`, text: "x".repeat(50) } })
          ),
        { concurrency: 100 }
      )
      const bytesOf = Effect.fnUntraced(function* (maxQueuedEntries: number) {
        const { Class, bytes } = countingWebSocket()
        const device = yield* openDevice({ url: line.url, WebSocket: Class, maxQueuedEntries })
        yield* untilStatus(device.client, ({ caughtUp }) => caughtUp)
        assert.strictEqual((yield* device.entryIds).length, count)
        return bytes()
      })
      const atOnce = yield* bytesOf(2 * count)
      const inPortions = yield* bytesOf(600)
      assert.isBelow(inPortions / atOnce, 1.05)
    })
  )
})

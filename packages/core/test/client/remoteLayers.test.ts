import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { EventLog, EventLogRemote } from "effect/eventlog"
import { Socket } from "effect/socket"
import { layerSocketUnencrypted, layerWebSocketUnencrypted } from "../../src/client/index.ts"
import { background } from "./fixtures.ts"
import { remoteId, scriptedServer } from "./scriptedServer.ts"

describe("the remote as a layer", () => {
  it.live.each<[string, (url: string) => Layer.Layer<EventLogRemote.EventLogRemote, unknown, EventLog.Registry>]>([
    ["over a websocket that it dials", (url) => layerWebSocketUnencrypted({ url })],
    [
      "over a socket that the app has",
      (url) =>
        Layer.provide(
          layerSocketUnencrypted(),
          Layer.provide(Socket.layerWebSocket(url), Socket.layerWebSocketConstructorGlobal)
        )
    ]
  ])("%s is that of the server", ([, layerOf]) =>
    Effect.gen(function* () {
      const server = yield* scriptedServer
      const building = yield* background(Layer.build(Layer.provide(layerOf(server.url), EventLog.layerRegistry)))
      const peer = yield* server.accept
      peer.hello()
      const remote = Context.get(yield* building, EventLogRemote.EventLogRemote)
      assert.deepStrictEqual(remote.id, remoteId)
    })
  )
})

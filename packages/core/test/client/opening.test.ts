import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { freePort } from "@eventlog-server/testkit/network"
import { Effect } from "effect"
import { WebSocket } from "ws"
import { ConnectionFailure, type EventLogClientOptions } from "../../src/client/index.ts"
import { startClient, untilStatus, withGlobals } from "./fixtures.ts"

/** An app that refuses every request, also for an upgrade, and counts those without one. */
const refusing = (status: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const asked = { times: 0 }
      const server = createServer((request, response) => {
        if (request.headers.upgrade === undefined) asked.times++
        response.writeHead(status).end()
      }).listen(0, "127.0.0.1")
      server.on("upgrade", (_, socket) => socket.end(`HTTP/1.1 ${status} No\r\nconnection: close\r\n\r\n`))
      await once(server, "listening")
      return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/eventlog`, asked, server }
    }),
    ({ server }) => Effect.sync(() => server.close())
  )

/** What the status says of a connection that can't be opened, when that was tried some times. */
const failureOf = Effect.fnUntraced(function* (options: Partial<EventLogClientOptions>, times = 3) {
  const { client } = yield* startClient(options)
  let failures = 0
  let last: unknown
  client.subscribe(({ connection, lastError }) => {
    if (connection !== "offline") return
    failures++
    last = lastError?.cause
  })
  yield* untilStatus(client, () => failures >= times)
  assert.instanceOf(last, ConnectionFailure)
  return last as ConnectionFailure
})

describe("a connection that can't be opened", () => {
  it.live.each([
    [401, "needs a login"],
    [403, "doesn't let"],
    [404, "no event log at this address"],
    [426, "a proxy"],
    [503, "takes no connections now"],
    [500, "refuses the connection (HTTP 500)"]
  ] as const)("is told as what it is, when the server says %s", ([status, message]) =>
    Effect.gen(function* () {
      const { asked, url } = yield* refusing(status)
      const failure = yield* failureOf({ url })
      assert.deepInclude(failure, { reason: "Open", status })
      assert.include(failure.message, message)
      // However often it fails, the server is asked once.
      assert.strictEqual(asked.times, 1)
    })
  )

  it.live("asks nobody where the websocket knows", () =>
    Effect.gen(function* () {
      const { asked, url } = yield* refusing(401)
      const failure = yield* failureOf({ url, WebSocket })
      assert.deepInclude(failure, { reason: "Open", status: 401 })
      assert.strictEqual(asked.times, 0)
    })
  )

  it.live("is told as no server where none is", () =>
    Effect.gen(function* () {
      const port = yield* Effect.promise(freePort)
      const failure = yield* failureOf({ url: `ws://127.0.0.1:${port}` })
      assert.strictEqual(failure.message, "No server answers at this address")
      assert.isUndefined(failure.status)
    })
  )

  it.live("says what is wrong with an address, what the app's function threw, and that there is no WebSocket", () =>
    Effect.gen(function* () {
      const broken = yield* failureOf({ url: "no url at all" }, 1)
      assert.notInclude(broken.message, "could not be opened")
      const thrown = yield* failureOf({ url: () => Promise.reject(new Error("no token")) }, 1)
      assert.strictEqual(thrown.message, "no token")
      yield* withGlobals({ WebSocket: undefined })
      assert.include((yield* failureOf({}, 1)).message, "This runtime has no WebSocket")
    })
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Client, ConnectionFailure } from "../../src/client/index.ts"
import { spreadAfter } from "../../src/client/supervisor.ts"
import { startClient, untilStatus } from "./fixtures.ts"
import type { Peer } from "./scriptedServer.ts"

const hour = 60 * 60 * 1000

/** A client that would come back at once, but for what the server asks of it. */
const prompt = { backoffMinimum: 1, backoffMaximum: hour } as const

const connect = Effect.fnUntraced(function* (options: Parameters<typeof startClient>[0], reconnectWithin?: number) {
  const { client, server } = yield* startClient(options)
  const accept = Effect.gen(function* () {
    const peer: Peer = yield* server.accept
    peer.send({ ...peer.makeHello(), ...(reconnectWithin === undefined ? {} : { reconnectWithin }) })
    yield* untilStatus(client, (status) => status.connection === "online")
    return peer
  })
  return { accept, client, peer: yield* accept }
})

/** It is offline and stays so, though it could have come back many times. */
const staysAway = Effect.fnUntraced(function* (client: Pick<Client, "status">) {
  yield* Effect.sleep(100)
  assert.strictEqual(client.status().connection, "offline")
})

describe("a server that closes for all", () => {
  it.live("is left alone as long as it asks, but for a user who doesn't want to wait", () =>
    Effect.gen(function* () {
      const { accept, client, peer } = yield* connect(prompt)
      peer.socket.close(1012, `The server restarts; retry-after-ms=${hour}`)
      yield* untilStatus(client, (status) => status.connection === "offline")
      yield* staysAway(client)
      yield* client.reconnect
      yield* accept
    })
  )

  it.live("can't make a client wait longer than its longest window", () =>
    Effect.gen(function* () {
      const { accept, peer } = yield* connect({ backoffMinimum: 1, backoffMaximum: 50 }, Number.MAX_SAFE_INTEGER)
      peer.socket.close(1012, "The server restarts; retry-after-ms=999999999")
      const second = yield* accept
      second.socket.terminate()
      yield* accept
    })
  )

  it.live("may say nothing of it, or something else", () =>
    Effect.gen(function* () {
      const { accept, peer } = yield* connect({ backoffMinimum: 1, backoffMaximum: 50 })
      peer.socket.close(1012, "The server restarts")
      const second = yield* accept
      second.socket.close(1012, "; retry-after-ms=-1")
      yield* accept
    })
  )
})

describe("a server that dies", () => {
  it.live("is come back to within the time that it announced", () =>
    Effect.gen(function* () {
      const { accept, client, peer } = yield* connect(prompt, 1_000 * hour)
      peer.socket.terminate()
      yield* untilStatus(client, (status) => status.connection === "offline")
      yield* staysAway(client)
      yield* client.reconnect
      yield* accept
    })
  )

  it.live("is come back to within what it announced last, with a Pong", () =>
    Effect.gen(function* () {
      const { accept, client, peer } = yield* connect({ ...prompt, pingInterval: 5 }, 1_000 * hour)
      peer.answersPings = false
      const { id } = yield* peer.next("Ping")
      peer.send({ _tag: "Pong", id, reconnectWithin: 0 })
      peer.answersPings = true
      yield* peer.next("Ping")
      peer.socket.terminate()
      yield* untilStatus(client, (status) => status.connection === "offline")
      yield* accept
    })
  )
})

it("attempts are spread until a server says hello again, where others have lost it, too", () => {
  const ended = (closeCode: number | undefined, reconnectWithin: number | undefined) => ({
    failure: new ConnectionFailure({ reason: closeCode === 0 ? "Timeout" : "Closed", message: "", closeCode }),
    lived: 1,
    reconnectWithin
  })
  for (const code of [undefined, 1006, 1012, 1013]) assert.strictEqual(spreadAfter(0, ended(code, 5_000)), 5_000)
  // This device alone was closed, or has lost its network.
  for (const code of [1000, 1008, 1009, 1011, 0]) assert.strictEqual(spreadAfter(5_000, ended(code, 5_000)), 0)
  assert.strictEqual(spreadAfter(5_000, ended(1006, undefined)), 5_000)
})

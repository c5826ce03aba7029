import { describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Queue } from "effect"
import { Socket } from "effect/socket"
import { expect } from "vitest"
import type { Transport } from "../../src/adapter.ts"
import { EventLogServerUnencrypted, makeHandler } from "../../src/effect.ts"
import { makeScene } from "../connection/harness.ts"

type Frames = readonly [Uint8Array | string, ...Array<Uint8Array | string>]

const error = (reason: ConstructorParameters<typeof Socket.SocketError>[0]["reason"]) =>
  new Socket.SocketError({ reason })

/** A socket that reads and writes what the test says, served by the handler. */
const serve = Effect.fnUntraced(function* (write: Socket.Writer["write"] = () => Effect.void) {
  const scene = yield* makeScene()
  const incoming = yield* Queue.unbounded<Frames, Socket.SocketError>()
  const written: Array<Uint8Array | string | Socket.CloseEvent> = []
  const socket = Socket.make({
    reader: Effect.succeed({ pull: Queue.take(incoming), upgrade: Socket.SocketUpgradeError.unsupported }),
    writer: Effect.succeed({
      write: (chunk) => {
        written.push(chunk)
        return write(chunk)
      },
      writeAll: () => Effect.void
    })
  })
  const handler = yield* Effect.provideService(makeHandler, EventLogServerUnencrypted, scene.server)
  const fiber = yield* Effect.forkChild(handler(socket), { startImmediately: true })
  return { scene, incoming, written, fiber }
})

describe("makeHandler", () => {
  it.effect("ends without an error, and with its session, when the socket closes", () =>
    Effect.gen(function* () {
      const { fiber, incoming, scene } = yield* serve()
      expect(yield* scene.server.stats).toMatchObject({ connections: 1 })
      yield* Queue.fail(incoming, error(new Socket.SocketCloseError({ code: 1000 })))
      expect(yield* Fiber.await(fiber)).toEqual(Exit.void)
      expect(yield* scene.server.stats).toMatchObject({ connections: 0 })
    })
  )

  it.effect("fails, and its session ends, when the socket breaks", () =>
    Effect.gen(function* () {
      const { fiber, incoming, scene } = yield* serve()
      const broken = error(new Socket.SocketReadError({ cause: "reset" }))
      yield* Queue.fail(incoming, broken)
      expect(yield* Fiber.await(fiber)).toEqual(Exit.fail(broken))
      expect(yield* scene.server.stats).toMatchObject({ connections: 0 })
    })
  )

  it.effect("fails, and its session ends, when the socket can't be written", () =>
    Effect.gen(function* () {
      const broken = error(new Socket.SocketWriteError({ cause: "reset" }))
      const { fiber, scene } = yield* serve(() => Effect.fail(broken))
      expect(yield* Fiber.await(fiber)).toEqual(Exit.fail(broken))
      expect(yield* scene.server.stats).toMatchObject({ connections: 0 })
    })
  )

  describe("a paused transport", () => {
    /** The handler with a server that hands out its transport and keeps what it receives. */
    const open = Effect.gen(function* () {
      const { server } = yield* makeScene()
      const [pulls, incoming] = [yield* Queue.unbounded<"pull">(), yield* Queue.unbounded<Frames, Socket.SocketError>()]
      const received: Array<Uint8Array | string> = []
      let transport: Transport | undefined
      const connect: typeof server.connect = (given) => {
        transport = given
        return { receive: (frame) => void received.push(frame), closed: () => {} }
      }
      const pull = Effect.andThen(Queue.offer(pulls, "pull"), Queue.take(incoming))
      const socket = Socket.make({
        reader: Effect.succeed({ pull, upgrade: Socket.SocketUpgradeError.unsupported }),
        writer: Effect.succeed({ write: () => Effect.void, writeAll: () => Effect.void })
      })
      const handler = yield* Effect.provideService(makeHandler, EventLogServerUnencrypted, { ...server, connect })
      const fiber = yield* Effect.forkChild(handler(socket), { startImmediately: true })
      yield* Queue.take(pulls)
      return { fiber, incoming, pulls, received, transport: transport as Transport }
    })
    const someTurns = Effect.repeat(Effect.yieldNow, { times: 20 })

    it.effect("reads no more, but for what was being read, until it is resumed", () =>
      Effect.gen(function* () {
        const { incoming, pulls, received, transport } = yield* open
        transport.pause?.()
        yield* Queue.offer(incoming, ["a"])
        yield* someTurns
        expect(received).toEqual(["a"])
        expect(yield* Queue.size(pulls)).toBe(0)
        transport.resume?.()
        yield* Queue.take(pulls)
        yield* Queue.offer(incoming, ["b"])
        yield* Queue.take(pulls)
        expect(received).toEqual(["a", "b"])
      })
    )

    it.effect("reads on when it is closed, up to the peer's answer", () =>
      Effect.gen(function* () {
        const { fiber, incoming, transport } = yield* open
        transport.pause?.()
        yield* Queue.offer(incoming, ["a"])
        yield* someTurns
        transport.close(1012, "")
        transport.pause?.()
        yield* Queue.fail(incoming, error(new Socket.SocketCloseError({ code: 1012 })))
        expect(yield* Fiber.await(fiber)).toEqual(Exit.void)
      })
    )
  })

  it.effect("writes the close behind everything else", () =>
    Effect.gen(function* () {
      const { incoming, written } = yield* serve()
      yield* Queue.offer(incoming, ["text"])
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      expect(written.map((chunk) => chunk instanceof Uint8Array)).toEqual([true, false])
      expect(written[1]).toMatchObject({ code: 1007 })
    })
  )
})

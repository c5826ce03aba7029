import { Writable } from "node:stream"
import { createEventLogServer, memoryBackend } from "@eventlog-server/core"
import { decodeResponseUnencrypted } from "@eventlog-server/core/protocol"
import { addedSchema } from "@eventlog-server/testkit/schema"
import Fastify from "fastify"
import { expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { eventLogPlugin } from "../src/index.ts"
import { holdForTurn, TurnSender } from "../src/turns.ts"

/** A stream, and what it was given to write at a time, in bytes. */
const makeStream = () => {
  const writes: Array<ReadonlyArray<number>> = []
  const stream = new Writable({
    write: (chunk: Buffer, _, done) => {
      writes.push([chunk.byteLength])
      done()
    },
    writev: (chunks, done) => {
      writes.push(chunks.map(({ chunk }) => chunk.byteLength))
      done()
    }
  })
  const sender = new TurnSender(stream)
  const send = (bytes: number) => sender.send(bytes, () => void stream.write(Buffer.alloc(bytes)))
  return { stream, sender, send, writes }
}

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve))

it("small frames of one turn go out together, and those of the next by themselves", async () => {
  const { send, writes } = makeStream()
  for (const bytes of [10, 20, 30]) send(bytes)
  expect(writes).toEqual([])
  await nextTurn()
  send(40)
  await nextTurn()
  expect(writes).toEqual([[10, 20, 30], [40]])
})

it("a frame that is big waits for nothing, and takes with it what waits", () => {
  const { send, writes } = makeStream()
  send(100_000)
  expect(writes).toEqual([[100_000]])
  send(10)
  send(100_000)
  expect(writes).toEqual([[100_000], [10, 100_000]])
})

it("many small frames are not held for longer than they would fill a big one", () => {
  const { send, writes } = makeStream()
  for (let frame = 0; frame < 10; frame++) send(1_000)
  expect(writes).toEqual([Array(5).fill(1_000), Array(5).fill(1_000)])
})

it("what is held back goes out at once when it is released, and the sender goes on", async () => {
  const { send, sender, writes } = makeStream()
  send(10)
  sender.release()
  sender.release()
  expect(writes).toEqual([[10]])
  send(20)
  await nextTurn()
  expect(writes).toEqual([[10], [20]])
})

it("what is held for a turn and by a sender goes out once, in order", async () => {
  const { send, stream, writes } = makeStream()
  holdForTurn(stream)
  stream.write(Buffer.alloc(5))
  send(10)
  await nextTurn()
  expect(writes).toEqual([[5, 10]])
})

it("the greeting goes out with the answer to the upgrade", async () => {
  const server = createEventLogServer({
    schema: addedSchema,
    handlers: { TodoAdded: () => {} },
    backend: memoryBackend(),
    auth: { read: () => {}, write: () => {} }
  })
  await server.ready()
  const app = Fastify()
  let writes = 0
  app.server.on("connection", (socket) => {
    const { _write, _writev } = socket
    socket._write = (...args) => {
      writes++
      return _write.apply(socket, args)
    }
    socket._writev = (...args) => {
      writes++
      return _writev!.apply(socket, args)
    }
  })
  await app.register(eventLogPlugin, { server })
  await app.listen({ port: 0 })
  onTestFinished(() => app.close())
  const { port } = app.server.address() as { readonly port: number }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/eventlog`)
  const hello = await new Promise<Buffer>((resolve) => void socket.once("message", resolve))
  expect(decodeResponseUnencrypted(hello)).toMatchObject({ success: { _tag: "Hello" } })
  expect(writes).toBe(1)
  socket.close()
})

import { serialization } from "@eventlog-server/testkit/devices"
import { Exit, Schema } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { Rpc, RpcMessage } from "effect/rpc"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { makeFrameEncoder } from "../../../src/protocols/rpc/frames.ts"
import { Wire } from "../../../src/protocols/rpc/wire.ts"
import { defaultLimits } from "../../../src/wire/limits.ts"
import { runs } from "../../wire/arbitraries.ts"

const parser = serialization.makeUnsafe()
const encode = (message: object) => (parser.encode(message) as Uint8Array).slice()
const frames = makeFrameEncoder(encode)

const id = fc.oneof(
  fc.string({ unit: "binary", maxLength: 64 }),
  fc.nat(),
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(-0, 2 ** 47, 2 ** 48 - 1, 2 ** 48, 2 ** 53 - 1, 0.25, -1.5)
)
const content = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 16_000, maxLength: 17_000 }))

describe("the frames that a server sends", () => {
  it("are those that effect makes", () => {
    fc.assert(
      fc.property(id, content, (requestId, content) => {
        const [exit, chunk] = [frames.exit(requestId, content), frames.chunksOf(requestId)(content)]
        // Not `toEqual`, whose report takes long for thousands of bytes.
        expect(Buffer.compare(exit, encode({ _tag: "Exit", requestId, exit: content }))).toBe(0)
        expect(Buffer.compare(chunk, encode({ _tag: "Chunk", requestId, values: content }))).toBe(0)
      }),
      runs(1_000)
    )
    expect(frames.pong).toEqual(encode(RpcMessage.constPong))
  })

  it("say of a write that it is durable as effect says it", () => {
    const wire = new Wire(serialization, defaultLimits)
    const exit = Schema.encodeUnknownSync(
      serialization.codecFor(Rpc.exitSchema(EventLogMessage.WriteChunkedRpc) as Schema.Codec<unknown>)
    )(Exit.succeed([]))
    expect(wire.written(7)).toEqual(encode({ _tag: "Exit", requestId: 7, exit }))
  })

  it.each<readonly [string, (message: { readonly _tag: string }) => Uint8Array]>([
    ["with its fields exchanged", (message) => encode(message).toReversed()],
    ["with longer frames", (message) => Uint8Array.of(...encode(message), 0)]
  ])("are noticed before anything is served where effect lays them out in another way: %s", (_, other) => {
    const changed = (message: { readonly _tag: string }) =>
      message._tag === "Chunk" || message._tag === "Exit" ? other(message) : encode(message)
    expect(() => makeFrameEncoder(changed)).toThrow()
  })
})

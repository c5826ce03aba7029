import { serialization } from "@eventlog-server/testkit/devices"
import { collectYoung, usedBytes } from "@eventlog-server/testkit/heap"
import { Effect, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isRpcTag, Wire } from "../../src/protocols/rpc/wire.ts"
import { decodeWrite } from "../../src/protocols/rpc/writeEntries.ts"
import { decodeRequestUnencrypted } from "../../src/wire/codec.ts"
import { defaultLimits } from "../../src/wire/limits.ts"
import { isLong } from "../wire/arbitraries.ts"
import { hostileMessages } from "./hostileBytes.ts"
import { hostileFrames, hostileWrites } from "./hostileRpc.ts"

const MiB = 1024 * 1024
const numRuns = isLong ? 20_000 : 100

/** Things that a decoded value is made of: objects, lists, byte strings; texts and numbers cost no more than their bytes. */
const objectsOf = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 0
  if (value instanceof Uint8Array) return 1
  return Object.values(value).reduce<number>((sum, inner) => sum + objectsOf(inner), 1)
}

/** What bytes may cost: bytes for each of them, and how many of them an object takes at least. */
interface Budget {
  readonly perByte: number
  readonly perObject: number
}

const modest: Budget = { perByte: 8, perObject: 8 }

/** An entry has 23 bytes at least. It is three objects, which cost about what an account says (512), and as
 * much again that is let go of while it is read. */
const ofEntries: Budget = { perByte: 80, perObject: 23 / 4 }

interface Cost {
  readonly bytes: number
  readonly millis: number
}

/** What a call allocates, garbage included, as long as nothing is collected meanwhile. */
const costOf = (call: () => unknown): Cost => {
  collectYoung()
  const [before, start] = [usedBytes(), performance.now()]
  call()
  const millis = performance.now() - start
  return { bytes: usedBytes() - before, millis }
}

/**
 * Whatever the bytes are, decoding them throws nothing, allocates a few times their size at most, and returns no more objects
 * than they can pay for.
 */
const expectModest = (
  name: string,
  frames: fc.Arbitrary<Uint8Array>,
  decode: (bytes: Uint8Array) => unknown,
  { perByte, perObject } = modest
) => {
  // Code that runs for the first time allocates for itself.
  for (const bytes of fc.sample(frames, { numRuns: 20, seed: 1 })) decode(bytes)
  const slowest = { millis: 0, bytes: 0 }
  fc.assert(
    fc.property(frames, (bytes) => {
      let value: unknown
      const cost = costOf(() => {
        value = decode(bytes)
      })
      if (cost.millis > slowest.millis) Object.assign(slowest, { millis: cost.millis, bytes: bytes.length })
      expect(cost.bytes).toBeLessThan(perByte * bytes.length + MiB)
      expect(objectsOf(value)).toBeLessThan(bytes.length / perObject + 100)
    }),
    { numRuns }
  )
  // For people: how long anything takes depends on the machine.
  process.stdout.write(`${name}: the slowest took ${slowest.millis.toFixed(1)} ms for ${slowest.bytes} bytes\n`)
}

describe("hostile bytes cost next to nothing", () => {
  it("in a message of our own protocol", () => {
    const bounds = { maxEntries: defaultLimits.maxBatchEntries }
    expectModest("messages", hostileMessages, (bytes) => {
      const decoded = decodeRequestUnencrypted(bytes, bounds)
      return Result.isSuccess(decoded) ? decoded.success : decoded.failure.correlation
    })
  })

  it("in a frame of effect's RPC, and in what comes with its calls", () => {
    const wire = new Wire(serialization, defaultLimits)
    expectModest("frames of RPC", hostileFrames, (bytes) => {
      const messages = wire.read(bytes)
      wire.shrink(bytes)
      return messages?.map((message) => {
        if (message._tag !== "Request") return message
        const { payload, tag } = message
        if (!isRpcTag(tag)) return message.id
        const decoded = wire.payload(tag, payload)
        return [message.id, Result.isSuccess(decoded) ? decoded.success : undefined]
      })
    })
  })

  it("in a write of effect's client", () => {
    expectModest(
      "writes of RPC",
      hostileWrites,
      (bytes) => Effect.runSync(Effect.result(decodeWrite(bytes, defaultLimits.maxRpcBatchEntries))),
      ofEntries
    )
  })
})

import { usedBytes } from "@eventlog-server/testkit/heap"
import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { pack } from "../../src/wire/codec.ts"
import { type DecodeError, decodeRequestUnencrypted, decodeResponseUnencrypted } from "../../src/wire/index.ts"
import { isLong, runs } from "./arbitraries.ts"
import { fromHex, goldenFrames, goldenVariants } from "./golden/index.ts"

const MiB = 1024 * 1024
const frames = [...goldenFrames, ...goldenVariants]
const decoders: ReadonlyArray<(bytes: Uint8Array) => Result.Result<unknown, DecodeError>> = [
  decodeRequestUnencrypted,
  decodeResponseUnencrypted
]

/** Whether both decoders answer. */
const isAnswered = (bytes: Uint8Array) => decoders.every((decode) => Result.isResult(decode(bytes)))

/** Whether neither decoder takes the bytes. */
const isRefused = (bytes: Uint8Array) => decoders.every((decode) => Result.isFailure(decode(bytes)))

/** An entry in as few bytes as can be. */
const smallest = { id: new Uint8Array(16), event: "", primaryKey: "", payload: new Uint8Array(0) }

const writeOf = (entries: ReadonlyArray<unknown>) => ({ _tag: "WriteEntries", id: 1, publicKey: "k", entries })

/** As many keys as a map may have, and a scalar for each. */
const manyKeys = Array.from({ length: 64 }, (_, key) => [String(key), 1] as const)

/** Bytes of memory that `run` took and did not yet give back. */
const memoryOf = (run: () => unknown): number => {
  const before = usedBytes()
  const result = run()
  const after = usedBytes()
  expect(result).toBeDefined()
  return after - before
}

describe("hostile frames are refused, and nothing breaks", () => {
  it("every golden frame, cut at every byte", () => {
    for (const { bytes } of frames) {
      const cuts = Array.from(bytes, (_, length) => bytes.subarray(0, length))
      expect(cuts.filter((cut) => !isRefused(cut))).toEqual([])
    }
  })

  it("every golden frame, with anything after it", () => {
    for (const { bytes } of frames) {
      const longer = [0x00, 0x80, 0xc0, 0xc1].map((extra) => Uint8Array.from([...bytes, extra]))
      expect(longer.filter((frame) => !isRefused(frame))).toEqual([])
    }
  })

  it("golden frames with a bit turned, in every byte", () => {
    // Few runs turn one bit of a byte, another one in the next; many turn each.
    const step = isLong ? 1 : 9
    for (const { bytes } of frames) {
      const turned = Array.from({ length: Math.ceil((bytes.length * 8) / step) }, (_, index) => {
        const bit = index * step
        return bytes.with(bit >>> 3, bytes[bit >>> 3]! ^ (1 << (bit & 7)))
      })
      expect(turned.filter((frame) => !isAnswered(frame))).toEqual([])
    }
  })

  it("golden frames with some bytes replaced, removed or repeated", () => {
    const place = fc.record({ at: fc.nat(600), remove: fc.nat(8), insert: fc.uint8Array({ maxLength: 8 }) })
    fc.assert(
      fc.property(fc.constantFrom(...frames), fc.array(place, { minLength: 1, maxLength: 4 }), ({ bytes }, places) => {
        let frame = [...bytes]
        for (const { at, insert, remove } of places) {
          const start = at % (frame.length + 1)
          frame = [...frame.slice(0, start), ...insert, ...frame.slice(start + remove)]
        }
        expect(isAnswered(Uint8Array.from(frame))).toBe(true)
      }),
      runs(500)
    )
  })

  it("random bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), isAnswered), runs(1_000))
  })
})

describe("a frame takes little memory, whatever it declares", () => {
  it.each([
    ["an array of 2^28", "dd10000000"],
    ["an array of 2^25", "dd02000000"],
    ["an array of 2^32 - 1", "ddffffffff"],
    ["a map of 2^32 - 1", "dfffffffff"],
    ["bytes of 2^31", "c680000000"],
    ["text of 2^31", "db80000000"],
    ["an array of 2^25 as the entries of a write", "81a7656e7472696573dd02000000"]
  ])("%s", (_, hex) => {
    const frame = fromHex(hex)
    expect(memoryOf(() => decoders.map((decode) => decode(frame)))).toBeLessThan(4 * MiB)
  })

  it("arrays in arrays, each as long as what is left", () => {
    const frame = new Uint8Array(MiB).fill(0xdd)
    for (let at = 1; at + 5 <= frame.length; at += 5) new DataView(frame.buffer).setUint32(at, frame.length - at - 8)
    frame[0] = 0x91
    expect(memoryOf(() => decodeRequestUnencrypted(frame))).toBeLessThan(4 * MiB)
  })

  it.each([
    ["maps", 0x80],
    ["arrays", 0x90]
  ])("a million empty %s", (_, empty) => {
    const frame = new Uint8Array(MiB).fill(empty)
    frame.set([0xdd, 0x00, 0x0f, 0xff, 0xfb])
    expect(memoryOf(() => decodeRequestUnencrypted(frame))).toBeLessThan(4 * MiB)
  })

  it("a batch of as many entries as fit", () => {
    const frame = pack(writeOf(Array(20_000).fill(smallest)))
    const decode = () => decodeRequestUnencrypted(frame, { maxEntries: 20_000 })
    expect(Result.isSuccess(decode())).toBe(true)
    expect(memoryOf(decode)).toBeLessThan(40 * frame.length)
  })
})

describe("what a request declares is refused before anything is built of it", () => {
  const refusalOf = (frame: Uint8Array): DecodeError => {
    let result: Result.Result<unknown, DecodeError> | undefined
    // The first one pays for what the engine compiles.
    decodeRequestUnencrypted(frame)
    const memory = memoryOf(() => {
      result = decodeRequestUnencrypted(frame)
      return result
    })
    expect(memory).toBeLessThan(MiB / 4)
    if (result === undefined || Result.isSuccess(result)) throw new Error("It was accepted")
    return result.failure
  }

  const texts = (text: string) => writeOf(Array(250).fill({ ...smallest, primaryKey: text }))

  it.each([
    ["310,000 entries", writeOf(Array(310_000).fill(smallest)), "Limit"],
    ["1,001 entries", writeOf(Array(1_001).fill(smallest)), "Limit"],
    ["a text of 16 MiB", { ...writeOf([]), publicKey: "k".repeat(16 * MiB) }, "Malformed"],
    ["a text of 16 MiB beyond ASCII", { ...writeOf([]), publicKey: "é".repeat(8 * MiB) }, "Malformed"],
    ["a text of 64 KiB and a byte", { ...writeOf([]), publicKey: "k".repeat(65_537) }, "Malformed"],
    ["16 MiB in texts of 65,534 bytes", texts("é".repeat(32_767)), "Limit"],
    ["arrays of scalars in an array", writeOf(Array(999).fill(Array(999).fill(1))), "Malformed"],
    ["maps of scalars", writeOf(Array(1_000).fill(Object.fromEntries(manyKeys))), "Malformed"]
  ])("%s", (_, message, reason) => {
    expect(refusalOf(pack(message))).toMatchObject({ _tag: "DecodeError", closeCode: 1007, reason })
  })

  it("whatever the order of its fields, though then nobody knows what to answer", () => {
    const { entries, ...rest } = writeOf(Array(1_001).fill(smallest))
    expect(refusalOf(pack({ entries, ...rest }))).toMatchObject({ reason: "Limit", correlation: undefined })
  })

  it("but not a batch at every limit", () => {
    const entry = { ...smallest, event: "e".repeat(255), primaryKey: "€".repeat(1365), payload: new Uint8Array(10_000) }
    const frame = pack(writeOf(Array(1_000).fill(entry)))
    expect(Result.isSuccess(decodeRequestUnencrypted(frame))).toBe(true)
  })

  it("nor one whose texts are too long to be stored, so that its entries can be named", () => {
    const frame = pack(writeOf([smallest, { ...smallest, primaryKey: "k".repeat(65_536) }]))
    expect(Result.isSuccess(decodeRequestUnencrypted(frame))).toBe(true)
  })
})

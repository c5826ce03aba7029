import fc from "fast-check"
import { Packr, unpack as unpackAnything } from "msgpackr"
import { describe, expect, it } from "vitest"
import { pack, unpack } from "../../src/wire/codec.ts"
import { Malformed } from "../../src/wire/fields.ts"
import { assertWellFormed, isUtf8 } from "../../src/wire/wellFormed.ts"
import { runs } from "./arbitraries.ts"
import { fromHex } from "./golden/index.ts"

const refusal = (bytes: Uint8Array): string | undefined => {
  try {
    assertWellFormed(bytes)
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(Malformed)
    return (error as Malformed).message
  }
}

const nested = (depth: number) => Uint8Array.from([...Array(depth).fill(0x91), 0xc0])

// What the protocol is made of: a value that has room for each of its objects, as every message has.
const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.uint8Array({ minLength: 16, maxLength: 80 })
)
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 40 }),
  fc.dictionary(fc.string({ unit: "binary", maxLength: 40 }), fc.oneof(scalar, fc.array(scalar, { maxLength: 5 })), {
    noNullPrototype: true,
    maxKeys: 20
  })
)

describe("assertWellFormed", () => {
  it("accepts every plain value, as msgpackr and as its own rules write it", () => {
    const longHeaders = new Packr({ useRecords: false, variableMapSize: false })
    fc.assert(
      fc.property(value, (plain) => {
        expect(assertWellFormed(pack(plain)).validText).toBe(true)
        expect(assertWellFormed(longHeaders.pack(plain)).validText).toBe(true)
      }),
      runs(200)
    )
  })

  it("accepts nothing that a decoder would fail on", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        if (refusal(bytes) === undefined) unpack(bytes)
      }),
      runs(2_000)
    )
  })

  it.each([
    ["nothing", ""],
    ["an array of 2^32 - 1", "ddffffffff"],
    ["an array of 2^16 - 1", "dcffff"],
    ["an array of 15", "9f"],
    ["an array one short", "93c0c0"],
    ["a map of 2^32 - 1", "dfffffffff"],
    ["a map of 2^16 - 1", "deffff"],
    ["a map without its last value", "81a161"],
    ["bytes of 2^32 - 1", "c6ffffffff"],
    ["bytes of 2^16 - 1", "c5ffff"],
    ["bytes of 255", "c4ff"],
    ["text of 2^32 - 1", "dbffffffff"],
    ["text of 2^16 - 1", "daffff"],
    ["text of 255", "d9ff"],
    ["text of 31", "bf"],
    ["half a header", "dd0000"],
    ["half a float", "cb0000"],
    ["half an integer", "cf00000000"]
  ])("refuses a length beyond the end: %s", (_, hex) => {
    expect(refusal(fromHex(hex))).toMatch(/^Fewer bytes than declared$|^A map with too many keys$/)
  })

  it.each([
    ["fixext 1, as some write undefined", "d40000"],
    ["fixext 2", "d5000000"],
    ["fixext 4, a timestamp", "d6ff00000000"],
    ["fixext 8", "d7ff0000000000000000"],
    ["fixext 16", `d80100${"00".repeat(16)}`],
    ["ext 8, a timestamp", `c70cff${"00".repeat(12)}`],
    ["ext 16", "c8000101ff"],
    ["ext 32", "c90000000101ff"],
    ["a set", "d47300"],
    ["a regular expression", "c7027892a161a167"],
    ["a record", "d4724091a161c0"],
    ["the byte that means nothing", "c1"]
  ])("refuses what the protocol doesn't use: %s", (_, hex) => {
    expect(refusal(fromHex(hex))).toBe("A type that the protocol doesn't use")
    expect(refusal(fromHex(`91${hex}`))).toBe("A type that the protocol doesn't use")
    expect(refusal(fromHex(`81a161${hex}`))).toBe("A type that the protocol doesn't use")
  })

  it("refuses a second value, and bytes after the first", () => {
    expect(refusal(fromHex("c0"))).toBeUndefined()
    expect(refusal(fromHex("c0c0"))).toBe("Bytes after the message")
    expect(refusal(fromHex("8000"))).toBe("Bytes after the message")
  })

  it("refuses nesting beyond 16", () => {
    expect(refusal(nested(16))).toBeUndefined()
    expect(refusal(nested(17))).toBe("Too deep")
    expect(refusal(nested(1_000_000))).toBe("Too deep")
  })

  it.each([
    ["an integer", "8101c0"],
    ["nil", "81c0c0"],
    ["bytes", "81c40161c0"],
    ["an array", "8190c0"],
    ["a map", "8180c0"]
  ])("refuses a map key that is %s", (_, hex) => {
    expect(refusal(fromHex(hex))).toBe("A map key that is no string")
  })

  it("refuses maps with more than 64 keys", () => {
    const keys = (count: number) => fromHex(`de${count.toString(16).padStart(4, "0")}${"a161c0".repeat(count)}`)
    expect(refusal(keys(64))).toBeUndefined()
    expect(refusal(keys(65))).toBe("A map with too many keys")
  })

  it.each([
    ["maps", [0x80]],
    ["arrays", [0x90]],
    ["byte strings", [0xc4, 0]]
  ])("refuses a frame of nothing but empty %s", (_, empty) => {
    const count = 0x0f_ffff
    const frame = new Uint8Array(5 + count * empty.length)
    frame.set([0xdd, 0x00, 0x0f, 0xff, 0xff])
    for (let index = 0; index < count; index++) frame.set(empty, 5 + index * empty.length)
    expect(refusal(frame)).toBe("Too many values for its size")
  })

  it.each([
    ["a byte of no character", "a1ff"],
    ["a character cut short", "a2e282"],
    ["an overlong form", "a2c080"],
    ["a lone surrogate", "a3eda080"],
    ["a character beyond the last", "a4f4908080"]
  ])("tells that a string is not UTF-8: %s", (_, hex) => {
    expect(assertWellFormed(fromHex(hex)).validText).toBe(false)
    expect(assertWellFormed(fromHex(`82a161a3e29895a162${hex}`)).validText).toBe(false)
    expect(assertWellFormed(fromHex(`81${hex}c0`)).validText).toBe(false)
  })

  it("tells UTF-8 as TextDecoder does", () => {
    const utf8 = new TextDecoder("utf-8", { fatal: true })
    const decodes = (bytes: Uint8Array) => {
      try {
        return utf8.decode(bytes) !== undefined
      } catch {
        return false
      }
    }
    // Every first and every second byte, with what may follow them.
    const tails = [[], [0x80], [0xbf], [0xc0], [0x41], [0x80, 0x80], [0xbf, 0xbf], [0x80, 0x41], [0x80, 0x80, 0x41]]
    const bytes = Array.from({ length: 256 }, (_, byte) => byte)
    const pairs = bytes.filter((lead) => lead > 0x7e).flatMap((lead) => bytes.map((second) => [lead, second]))
    const strings = [
      ...pairs.flatMap((pair) => tails.map((tail) => [...pair, ...tail])),
      ...bytes.map((byte) => [byte])
    ]
    const differing = strings.map((string) => Uint8Array.from(string)).filter((text) => isUtf8(text) !== decodes(text))
    expect(differing).toEqual([])
  })

  it("is needed: msgpackr alone builds objects from extension types", () => {
    expect(unpackAnything(fromHex("c7047892a161a167"))).toBeInstanceOf(RegExp)
  })
})

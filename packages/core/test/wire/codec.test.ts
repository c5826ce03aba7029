import { Result, Schema } from "effect"
import { EventJournal } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import { pack } from "../../src/wire/codec.ts"
import {
  type DecodeError,
  decodeRequestUnencrypted,
  decodeResponseUnencrypted,
  defaultLimits,
  encodeRequestUnencrypted,
  encodeResponseUnencrypted,
  requestBounds,
  type WriteEntries
} from "../../src/wire/index.ts"
import { fromHex, goldenFrames } from "./golden/index.ts"
import { ProtocolRequest, ProtocolResponse } from "./schemas.ts"

const entry = { id: new Uint8Array(16).fill(1), event: "TodoAdded", primaryKey: "t1", payload: Uint8Array.of(1, 2) }
const write = { _tag: "WriteEntries", id: 7, publicKey: "device-1", entries: [entry] }

const refusal = (result: Result.Result<unknown, DecodeError>): DecodeError => {
  if (Result.isSuccess(result)) throw new Error("It was accepted")
  return result.failure
}

const refusedRequest = (value: unknown) => refusal(decodeRequestUnencrypted(pack(value)))
const refusedResponse = (value: unknown) => refusal(decodeResponseUnencrypted(pack(value)))

type Decode = (bytes: Uint8Array) => Result.Result<unknown, DecodeError>
type Fields = Readonly<Record<string, unknown>>

const wrongValues = [null, true, -1, 1.5, 2 ** 53, Number.NaN, "text", "", new Uint8Array(16), [], [true], {}]

const replace = (name: string) => (value: unknown) => (fields: Fields) => ({ ...fields, [name]: value })

const omit = (name: string) => (fields: Fields) =>
  Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name))

describe("a request that is not what the protocol says", () => {
  it.each([
    ["no map", [1]],
    ["a string", "WriteEntries"],
    ["no _tag", { id: 1 }],
    ["a _tag that is no string", { _tag: 1, id: 1 }],
    ["an unknown _tag", { _tag: "Nonsense", id: 1, publicKey: "device-1" }],
    ["a message of the server", { _tag: "Ack", id: 1, sequenceNumbers: [] }]
  ])("can't be answered when it is %s", (_, value) => {
    expect(refusedRequest(value)).toMatchObject({ _tag: "DecodeError", closeCode: 1007, correlation: undefined })
  })

  it.each(["constructor", "__proto__", "toString"])("can't name a member of every object: %s", (tag) => {
    expect(refusedRequest({ _tag: tag, id: 1 }).message).toBe("Unknown _tag")
  })

  it.each([
    ["a write", { ...write, entries: [{}] }, { requestTag: "WriteEntries", id: 7, publicKey: "device-1" }],
    ["a write without a key", { _tag: "WriteEntries", id: 7 }, { requestTag: "WriteEntries", id: 7 }],
    ["a write without an id", { ...write, id: "7" }, { requestTag: "WriteEntries", publicKey: "device-1" }],
    ["a subscription", { _tag: "RequestChanges", publicKey: "k" }, { requestTag: "RequestChanges", publicKey: "k" }],
    ["an end", { _tag: "StopChanges", publicKey: "k", id: -1 }, { requestTag: "StopChanges", publicKey: "k" }],
    ["a proof", { _tag: "Authenticate", publicKey: "k" }, { requestTag: "Authenticate", publicKey: "k" }]
  ])("names the request when it is %s", (_, value, correlation) => {
    expect(refusedRequest(value).correlation).toStrictEqual(correlation)
  })

  it.each([
    ["a write of nobody", { _tag: "WriteEntries", id: -1, entries: [] }],
    ["a ping", { _tag: "Ping", id: -1, publicKey: "device-1" }],
    ["a pong", { _tag: "Pong", publicKey: "device-1" }],
    ["a part", { _tag: "ChunkedMessage", id: 1, part: [0], data: new Uint8Array(1) }]
  ])("can't be answered when it is %s", (_, value) => {
    expect(refusedRequest(value).correlation).toBeUndefined()
  })

  it("is answered when one of its strings is not UTF-8", () => {
    const frame = encodeRequestUnencrypted({ _tag: "RequestChanges", publicKey: "abcdefgh", startSequence: 1, id: 3 })
    frame[frame.indexOf(0x63)] = 0xff
    const error = refusal(decodeRequestUnencrypted(frame))
    expect(error.message).toBe("A string that is not UTF-8")
    expect(error.correlation).toMatchObject({ requestTag: "RequestChanges", id: 3 })
  })

  it.each([
    ["an id of 15 bytes", { ...entry, id: new Uint8Array(15) }],
    ["an id of 17 bytes", { ...entry, id: new Uint8Array(17) }],
    ["an id of text", { ...entry, id: "0123456789abcdef" }],
    ["no event", { ...entry, event: null }],
    ["a primary key that is a number", { ...entry, primaryKey: 1 }],
    ["a payload of text", { ...entry, payload: "text" }],
    ["no fields", {}],
    ["no map", 1]
  ])("is refused for an entry with %s", (_, bad) => {
    expect(refusedRequest({ ...write, entries: [entry, bad] }).correlation).toMatchObject({ id: 7 })
    expect(
      refusedResponse({ _tag: "Changes", publicKey: "k", entries: [{ remoteSequence: 1, entry: bad }] })
    ).toBeDefined()
  })

  it.each([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, "1", null])(
    "is refused for the sequence %s",
    (sequence) => {
      expect(refusedRequest({ _tag: "RequestChanges", publicKey: "k", startSequence: sequence })).toBeDefined()
      expect(refusedResponse({ _tag: "Ack", id: 1, sequenceNumbers: [1, sequence] })).toBeDefined()
      expect(refusedResponse({ _tag: "CaughtUp", publicKey: "k", head: sequence })).toBeDefined()
    }
  )

  it.each(["cf0020000000000000", "d3ffffffffffffffff", "cb4340000000000000"])(
    "is refused for the integer %s",
    (hex) => {
      const ping = fromHex(`82a45f746167a450696e67a26964${hex}`)
      expect(refusal(decodeRequestUnencrypted(ping)).message).toBe("id is not an integer from 0 to 2^53 - 1")
    }
  )

  it("is refused for a part that is no pair", () => {
    const part = { _tag: "ChunkedMessage", id: 1, data: new Uint8Array(1) }
    for (const pair of [[1], [1, 3, 5], [1, "3"], { 0: 1, 1: 3 }]) {
      expect(refusedRequest({ ...part, part: pair })).toBeDefined()
    }
  })

  it.each([
    ["a signing key of 65 bytes", { signingPublicKey: new Uint8Array(65) }],
    ["a signature of 129 bytes", { signature: new Uint8Array(129) }],
    ["an algorithm of 65 bytes", { algorithm: "a".repeat(65) }],
    ["an algorithm of 66 bytes in 33 characters", { algorithm: "é".repeat(33) }]
  ])("is refused for a proof with %s", (_, change) => {
    const longest = { signingPublicKey: new Uint8Array(64), signature: new Uint8Array(128), algorithm: "a".repeat(64) }
    const proof = { _tag: "Authenticate", publicKey: "k", ...longest }
    expect(Result.isSuccess(decodeRequestUnencrypted(pack(proof)))).toBe(true)
    expect(refusedRequest({ ...proof, ...change })).toMatchObject({
      reason: "Malformed",
      correlation: { requestTag: "Authenticate", publicKey: "k" }
    })
  })

  it.each([
    ["of 512 bytes", "k".repeat(512), true],
    ["of 513 bytes", "k".repeat(513), false],
    ["of 514 bytes in 257 characters", "é".repeat(257), false]
  ])("is answered without the public key %s, unless that is one", (_, publicKey, isKey) => {
    const correlation = { requestTag: "WriteEntries", id: 7, ...(isKey ? { publicKey } : {}) }
    for (const entries of [[{}], Array(1_001).fill(entry)]) {
      expect(refusedRequest({ _tag: "WriteEntries", id: 7, publicKey, entries }).correlation).toStrictEqual(correlation)
    }
  })

  it("repeats nothing of what it holds, and fits a close reason", () => {
    const secret = "s".repeat(1_000)
    for (const value of [secret, { _tag: secret }, { ...write, [secret]: 1, entries: [{ ...entry, id: secret }] }]) {
      const { message } = refusedRequest(value)
      expect(message).not.toContain("sss")
      expect(message.length).toBeLessThan(100)
    }
  })
})

describe("a request that declares too much", () => {
  const tooMany = { ...write, entries: Array(1_001).fill(entry) }

  it("is named by what stands before the batch that is too long", () => {
    expect(refusedRequest(tooMany)).toMatchObject({
      message: "A list may have 1000 elements",
      reason: "Limit",
      correlation: { requestTag: "WriteEntries", id: 7, publicKey: "device-1" }
    })
  })

  it.each([
    ["a text", { ...write, entries: [{ ...entry, primaryKey: "k".repeat(65_537) }] }],
    ["values", { ...write, entries: Array(1_000).fill({ ...entry, more: Array(100).fill(1) }) }],
    ["depth", { ...write, entries: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]] }]
  ])("is named when it has too much of %s", (_, value) => {
    expect(refusedRequest(value)).toMatchObject({
      reason: "Malformed",
      correlation: { requestTag: "WriteEntries", id: 7, publicKey: "device-1" }
    })
  })

  it("is named when it ends too early", () => {
    const frame = pack(write)
    const { correlation, reason } = refusal(decodeRequestUnencrypted(frame.subarray(0, -1)))
    expect({ reason, correlation }).toStrictEqual({
      reason: "Malformed",
      correlation: { requestTag: "WriteEntries", id: 7, publicKey: "device-1" }
    })
  })

  it.each([
    ["nothing stands before", { entries: tooMany.entries, _tag: "WriteEntries", id: 7 }],
    ["only its tag does", { _tag: "WriteEntries", entries: tooMany.entries, id: 7 }],
    ["only its id does", { id: 7, entries: tooMany.entries, _tag: "WriteEntries" }],
    ["a long text does", { more: "m".repeat(2_000), ...tooMany }],
    ["sixteen fields do", { ...Object.fromEntries(Array.from("abcdefghijklm", (key) => [key, 1])), ...tooMany }],
    ["it is no request that is answered", { _tag: "Ping", id: 7, more: tooMany.entries }],
    ["it is no request", { _tag: "Nonsense", id: 7, more: tooMany.entries }]
  ])("can't be answered when %s", (_, value) => {
    expect(refusedRequest(value)).toMatchObject({ reason: "Limit", correlation: undefined })
  })

  it("is measured by the limits of the server", () => {
    const entries = (count: number, change = {}) =>
      pack({ ...write, entries: Array(count).fill({ ...entry, ...change }) })
    const bounds = requestBounds({ maxBatchEntries: 20, maxEventBytes: 255, maxPrimaryKeyBytes: 100_000 })
    const isTaken = (frame: Uint8Array) => Result.isSuccess(decodeRequestUnencrypted(frame, bounds))
    expect([20, 21].map((count) => isTaken(entries(count)))).toEqual([true, false])
    const keyOf = (bytes: number) => isTaken(entries(1, { primaryKey: "k".repeat(bytes) }))
    expect([200_000, 200_001].map(keyOf)).toEqual([true, false])
    expect(isTaken(entries(20, { event: "e".repeat(255), primaryKey: "k".repeat(100_000) }))).toBe(true)
  })

  it("is told apart from a small one whose server takes even less", () => {
    const bounds = requestBounds({ ...defaultLimits, maxBatchEntries: 1 })
    const part = pack({ _tag: "ChunkedMessage", id: 1, part: [0, 2], data: new Uint8Array(1) })
    expect(Result.isSuccess(decodeRequestUnencrypted(part, bounds))).toBe(true)
  })
})

describe("every field of every message is checked, as its schema says", () => {
  const isRequest = Schema.is(ProtocolRequest)
  const isResponse = Schema.is(ProtocolResponse)

  const cases = goldenFrames.flatMap((frame) =>
    Object.keys(frame.message).map((name) => [`${frame.message._tag}.${name}, ${frame.meaning}`, name, frame] as const)
  )

  it.each(cases)("%s", (_, name, { bytes, from, message }) => {
    const decode: Decode = from === "server" ? decodeResponseUnencrypted : decodeRequestUnencrypted
    const fits: (value: unknown) => boolean = from === "server" ? isResponse : isRequest
    const decoded = Result.getOrThrow(decode(bytes)) as Fields
    for (const change of [omit(name), ...wrongValues.map(replace(name))]) {
      expect(Result.isSuccess(decode(pack(change(message))))).toBe(fits(change(decoded)))
    }
  })
})

describe("decoded messages", () => {
  const sent: typeof WriteEntries.Type = {
    _tag: "WriteEntries",
    id: 1,
    publicKey: "device-1",
    entries: [new EventJournal.Entry({ ...entry, id: entry.id as EventJournal.EntryId })]
  }

  const decodeWrite = (frame: Uint8Array) => {
    const message = Result.getOrThrow(decodeRequestUnencrypted(frame))
    if (message._tag !== "WriteEntries") throw new Error("Another message")
    return message
  }

  it.each([
    ["a plain array", (bytes: Uint8Array) => bytes],
    ["a Buffer", (bytes: Uint8Array) => Buffer.from(bytes)],
    [
      "a view into a bigger buffer",
      (bytes: Uint8Array) => {
        const pool = new Uint8Array(bytes.length + 20).fill(0xff)
        pool.set(bytes, 7)
        return pool.subarray(7, 7 + bytes.length)
      }
    ]
  ])("own their bytes when the frame is %s", (_, frameOf) => {
    const frame = frameOf(encodeRequestUnencrypted(sent))
    const received = decodeWrite(frame)
    frame.fill(0)
    expect(received).toStrictEqual(sent)
    for (const bytes of [received.entries[0]!.id, received.entries[0]!.payload]) {
      expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
      expect(bytes.buffer.byteLength).toBe(bytes.byteLength)
    }
  })

  it("leave the frame as it was", () => {
    const frame = encodeRequestUnencrypted(sent)
    const before = frame.slice()
    decodeWrite(frame)
    expect(frame).toStrictEqual(before)
    expect(Object.keys(frame)).toHaveLength(frame.length)
  })

  it("hold no negative zero", () => {
    const pong = fromHex("82a45f746167a4506f6e67a26964cb8000000000000000")
    expect(Result.getOrThrow(decodeRequestUnencrypted(pong))).toStrictEqual({ _tag: "Pong", id: 0 })
  })

  it("hold effect's own entries", () => {
    const [received] = decodeWrite(encodeRequestUnencrypted(sent)).entries
    expect(received).toBeInstanceOf(EventJournal.Entry)
    expect(received!.idString).toBe("01010101-0101-0101-0101-010101010101")
  })

  it("hold no field that the protocol doesn't know", () => {
    const frame = pack({ ...write, more: 1, entries: [{ ...entry, more: 1 }] })
    expect(Object.keys(decodeWrite(frame))).toEqual(["_tag", "id", "publicKey", "entries"])
    expect(decodeWrite(frame).entries).toEqual([entry])
  })

  it("can't reach a prototype", () => {
    // { _tag: "Ping", id: 1, __proto__: { polluted: 1 } }
    const frame = fromHex("83a45f746167a450696e67a2696401a95f5f70726f746f5f5f81a8706f6c6c7574656401")
    const message = Result.getOrThrow(decodeRequestUnencrypted(frame))
    expect(message).toStrictEqual({ _tag: "Ping", id: 1 })
    expect(Object.getPrototypeOf(message)).toBe(Object.prototype)
    expect("polluted" in {}).toBe(false)
    // { __proto__: { _tag: "Ping", id: 1 } }
    const inherited = fromHex("81a95f5f70726f746f5f5f82a45f746167a450696e67a2696401")
    expect(refusal(decodeRequestUnencrypted(inherited)).message).toBe("Unknown _tag")
  })
})

describe("encoded messages", () => {
  it("own their bytes: neither a later message nor a pool keeps them alive", () => {
    const first = encodeResponseUnencrypted({ _tag: "Ack", id: 1, sequenceNumbers: [1] })
    const before = first.slice()
    encodeResponseUnencrypted({ _tag: "Ack", id: 2, sequenceNumbers: [9, 9, 9] })
    expect(first).toStrictEqual(before)
    expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype)
    expect(first.buffer.byteLength).toBe(first.byteLength)
  })

  it("leave absent fields out", () => {
    const absent = { _tag: "StopChanges", publicKey: "device-1", id: undefined } as unknown as {
      _tag: "StopChanges"
      publicKey: string
    }
    expect(encodeRequestUnencrypted(absent)).toStrictEqual(
      encodeRequestUnencrypted({ _tag: "StopChanges", publicKey: "device-1" })
    )
  })
})

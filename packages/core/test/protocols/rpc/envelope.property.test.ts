import { serialization } from "@eventlog-server/testkit/devices"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { MalformedBytes } from "../../../src/protocols/rpc/ByteReader.ts"
import { makeEnvelopeReader } from "../../../src/protocols/rpc/envelope.ts"
import { splitFrame } from "../../../src/protocols/rpc/splitFrame.ts"
import { runs } from "../../wire/arbitraries.ts"
import { framed, mutated } from "./mutated.ts"

const parser = serialization.makeUnsafe()
const encode = (message: object) => parser.encode(message) as Uint8Array
const reader = makeEnvelopeReader(encode, { maxNameBytes: 64 })

const isShort = (text: unknown) => typeof text !== "string" || Buffer.byteLength(text) <= 64
const text = fc.string({ unit: "binary", maxLength: 16 })
const name = text.filter(isShort)
const id = fc.oneof(name, fc.nat(), fc.integer(), fc.double(), fc.constantFrom(2 ** 48, 2 ** 53 - 1, 0.25, -1.5))
const yes = fc.constant(true as const)
const request = fc.record(
  {
    _tag: fc.constant("Request" as const),
    id,
    tag: name,
    payload: fc.uint8Array({ maxLength: 300 }),
    headers: fc.array(fc.tuple(text, text), { maxLength: 5 }),
    isNotification: yes,
    discard: yes,
    traceId: text,
    spanId: text,
    sampled: fc.boolean()
  },
  { requiredKeys: ["_tag", "id", "tag", "payload", "headers"] }
)
const message = fc.oneof(
  { weight: 4, arbitrary: request },
  fc.record({ _tag: fc.constantFrom("Ack" as const, "Interrupt" as const), requestId: id }),
  fc.record({ _tag: fc.constantFrom("Ping" as const, "Eof" as const) })
)

/** What a server has use for. */
const inShort = (message: { readonly _tag: string } & Record<string, unknown>) => {
  const { _tag, id, payload, requestId, tag } = message
  if (_tag === "Request") return { _tag, id, tag, payload }
  if (["Chunk", "Exit", "Defect", "Pong"].includes(_tag)) return { _tag: "FromServer" }
  return requestId === undefined ? { _tag } : { _tag, requestId }
}

/** What effect makes of a message, or `undefined` where it refuses it. */
const byEffect = (body: Uint8Array) => {
  try {
    const decoded = serialization.makeUnsafe().decode(framed(body))
    return decoded.length === 1 ? (decoded[0] as Parameters<typeof inShort>[0]) : undefined
  } catch {
    return undefined
  }
}

/** What is made of a message here, or `undefined` where it is refused. Any other failure is thrown. */
const byReader = (body: Uint8Array) => {
  try {
    return reader(body)
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

/** The bits for optional fields, behind the number that says which message it is. */
const bitsOf = (body: Uint8Array): number => body[body.findIndex((byte, at) => at >= 9 && byte < 0x80) + 1]!

/** Whether a message has long names, or bits for optional fields that there are not. */
const isBeyondBounds = ({ id, requestId, tag }: Record<string, unknown>, body: Uint8Array) =>
  ![id, requestId, tag].every(isShort) || (tag !== undefined && bitsOf(body) > 31)

const bodyOf = (message: object) => splitFrame(encode(message))[0]!
const aRequest = { _tag: "Request", id: 1, tag: "EventLog.Hello", payload: new Uint8Array(3), headers: [] }

describe("the messages of effect's RPC", () => {
  it("are read as effect reads them, without headers and traces", () => {
    fc.assert(
      fc.property(message, (message) => {
        expect(reader(bodyOf(message))).toEqual(inShort(message))
      }),
      runs(1_000)
    )
  })

  it("are never read as something else than effect reads, however their bytes were changed", () => {
    fc.assert(
      fc.property(mutated(message.map(bodyOf)), (body) => {
        const [read, expected] = [byReader(body), byEffect(body)]
        // What is passed over (headers, traces and flags) may be anything here.
        if (read !== undefined && expected !== undefined) expect(read).toEqual(inShort(expected))
        if (read === undefined && expected !== undefined) expect(isBeyondBounds(expected, body)).toBe(true)
        if (read?._tag === "Request") expect([typeof read.tag, isShort(read.tag)]).toEqual(["string", true])
      }),
      runs(3_000)
    )
  })

  it("may have numbers that are written longer than they need to be", () => {
    const body = bodyOf({ _tag: "Ack", requestId: "an id" })
    const longer = (at: number) => [...body.subarray(0, at), body[at]! + 0x80, 0, ...body.subarray(at + 1)]
    const kindOfMessage = Uint8Array.from(longer(9))
    const kindOfId = Uint8Array.from(longer(11)).with(10, body[10]! + 1)
    for (const bytes of [kindOfMessage, kindOfId]) {
      expect(byEffect(bytes)).toEqual({ _tag: "Ack", requestId: "an id" })
      expect(byReader(bytes)).toEqual(byEffect(bytes))
    }
  })

  it("are refused where they are cut off, or longer", () => {
    for (const body of [aRequest, { _tag: "Ack", requestId: "an id" }, { _tag: "Ping" }].map(bodyOf)) {
      const cuts = Array.from(body, (_, length) => body.subarray(0, length))
      expect(cuts.map(byReader).filter((read) => read !== undefined)).toEqual([])
      expect(byReader(Uint8Array.of(...body, 0))).toBeUndefined()
    }
  })

  it.each([
    ["an id", { ...aRequest, id: "x".repeat(65) }],
    ["a tag", { ...aRequest, tag: "x".repeat(65) }],
    ["a tag of wide characters", { ...aRequest, tag: "€".repeat(22) }],
    ["the id of an Ack", { _tag: "Ack", requestId: "x".repeat(65) }]
  ])("are refused with %s of more than 64 bytes", (_, message) => {
    expect(byReader(bodyOf(message))).toBeUndefined()
    expect(byEffect(bodyOf(message))).toBeDefined()
  })

  it("are refused in another layout", () => {
    const body = bodyOf(aRequest)
    for (let at = 0; at < 9; at++) expect(byReader(body.with(at, body[at]! ^ 1))).toBeUndefined()
  })

  it("are refused with optional fields that there are not", () => {
    for (const bit of [32, 64, 128]) expect(byReader(bodyOf(aRequest).with(10, bit))).toBeUndefined()
  })

  it("are refused where a call has no id", () => {
    const body = Uint8Array.from([...bodyOf(aRequest).subarray(0, 10), 0, 0, 0, 1, 0x78, 0])
    expect([byReader(body), byEffect(body)]).toEqual([undefined, undefined])
  })

  it.each<readonly [string, ReadonlyArray<number>]>([
    ["nothing", []],
    ["no number", [0]],
    ["a number without an end", [0, ...new Array<number>(7).fill(0xff)]],
    ["a number of nine bytes", [0, ...new Array<number>(9).fill(1)]],
    ["a decimal without decimals", [0, 2, 0]],
    ["a decimal with nine decimals", [0, 2, 9]],
    ["a decimal with bytes after it", [0, 2, 1, 0]],
    ["bytes that aren't UTF-8", [1, 0xff]],
    ["a kind that there is not", [2, 1]]
  ])("are refused where an id is %s", (_, id) => {
    const body = Uint8Array.from([...bodyOf({ _tag: "Ack", requestId: 0 }).subarray(0, 10), id.length, ...id])
    expect([byReader(body), byEffect(body)]).toEqual([undefined, undefined])
  })

  it.each([
    { _tag: "Chunk", requestId: 1, values: new Uint8Array(9) },
    { _tag: "Exit", requestId: "1", exit: new Uint8Array(9) },
    { _tag: "Defect", defect: new Uint8Array(9) },
    { _tag: "Pong" }
  ])("that only a server may send are told apart: $_tag", (message) => {
    expect(reader(bodyOf(message))).toEqual({ _tag: "FromServer" })
  })

  it("keep neither their headers nor their frame in memory", () => {
    const headers = Array.from({ length: 10_000 }, () => ["a header", "a value"])
    const read = reader(bodyOf({ ...aRequest, headers })) as { readonly payload: Uint8Array }
    expect(read.payload.buffer.byteLength).toBe(3)
  })
})

type Sample = Parameters<Parameters<typeof makeEnvelopeReader>[0]>[0]

describe("an encoder that makes another layout", () => {
  it.each<readonly [string, (sample: Sample) => Uint8Array]>([
    [
      "with fields in another order",
      (sample) => encode(sample._tag === "Request" ? { ...sample, id: sample.tag, tag: "the id" } : sample)
    ],
    [
      "with another member for an id",
      (sample) => encode("requestId" in sample ? { ...sample, requestId: String(sample.requestId) } : sample)
    ],
    ["without a hash", (sample) => encode(sample).map((byte, index) => (index === 1 ? 0x20 : byte))]
  ])("%s is noticed before anything is served", (_, other) => {
    expect(() => makeEnvelopeReader(other, { maxNameBytes: 64 })).toThrow("Install effect 4.1")
  })
})

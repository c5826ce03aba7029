import { serialization } from "@eventlog-server/testkit/devices"
import { Context, Effect, Layer, Result, Schema } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { RpcSerialization } from "effect/rpc"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { modestFields } from "../../../src/protocols/rpc/payloads.ts"
import { splitFrame } from "../../../src/protocols/rpc/splitFrame.ts"
import { type RpcTag, Wire } from "../../../src/protocols/rpc/wire.ts"
import { defaultLimits } from "../../../src/wire/limits.ts"
import { runs } from "../../wire/arbitraries.ts"
import { framed, mutated, unsigned } from "./mutated.ts"

const { AuthenticateRpc, ChangesRpc, WriteChunkedRpc, WriteSingleRpc } = EventLogMessage
const wire = new Wire(serialization, defaultLimits)
const encode = (rpc: { readonly payloadSchema: Schema.Top }, payload: unknown) =>
  Schema.encodeUnknownSync(serialization.codecFor(rpc.payloadSchema as Schema.Codec<unknown>))(payload) as Uint8Array

const proof = (fields: object = {}) =>
  encode(
    AuthenticateRpc,
    new EventLogMessage.Authenticate(
      {
        publicKey: "k".repeat(512),
        signingPublicKey: new Uint8Array(32),
        signature: new Uint8Array(64),
        algorithm: "Ed25519",
        ...fields
      },
      { disableChecks: true }
    )
  )
const changes = (fields: object = {}) =>
  encode(ChangesRpc, { publicKey: "€".repeat(170), storeId: "€".repeat(255), startSequence: 2 ** 53 - 1, ...fields })
const data = new Uint8Array(EventLogMessage.ChunkedMessage.chunkSize).fill(7)
const chunk = (fields: object) => encode(WriteChunkedRpc, new EventLogMessage.ChunkedMessage(fields as never))
const part = [2 ** 53 - 2, 2 ** 53 - 1] as const

/** A payload with one more field before those that it has. */
const withField = (payload: Uint8Array, kind: number, content: ReadonlyArray<number>, id = 5) => {
  const body = payload.subarray(payload.findIndex((byte) => byte < 0x80) + 2)
  return framed([0x20, ...unsigned(id * 8 + kind), ...content, ...body])
}

/** A number of so many bytes. */
const digits = (bytes: number) => [...new Array<number>(bytes - 1).fill(0xff), 1]

const isTaken = (tag: RpcTag, payload: Uint8Array) => Result.isSuccess(wire.payload(tag, payload))

it("is noticed before anything is served where effect lays payloads out in another way", () => {
  const other = Layer.build(RpcSerialization.layerSchemaBinary({ fingerprintPayloads: true }))
  const fingerprinted = Context.get(Effect.runSync(Effect.scoped(other)), RpcSerialization.RpcSerialization)
  expect(() => new Wire(fingerprinted, defaultLimits)).toThrow("Install effect 4.1")
})

describe("what comes with a call", () => {
  it("is decoded as effect decodes it, up to its bounds", () => {
    expect(Result.getOrThrow(wire.payload("EventLog.Authenticate", proof()))).toMatchObject({ algorithm: "Ed25519" })
    expect(Result.getOrThrow(wire.payload("EventLog.Changes", changes()))).toMatchObject({ startSequence: 2 ** 53 - 1 })
    expect(Result.getOrThrow(wire.payload("EventLog.WriteSingle", encode(WriteSingleRpc, { data })))).toEqual({ data })
    expect(
      Result.getOrThrow(wire.payload("EventLog.WriteChunked", chunk({ id: 2 ** 53 - 1, part, data })))
    ).toMatchObject({ id: 2 ** 53 - 1, part, data })
    const empty = encode(WriteSingleRpc, { data: new Uint8Array(0) })
    expect(isTaken("EventLog.WriteSingle", empty)).toBe(true)
  })

  it("is read by hand where it is a whole write, as effect reads it, however its bytes were changed", () => {
    const decode = Schema.decodeUnknownResult(
      serialization.codecFor(WriteSingleRpc.payloadSchema as Schema.Codec<unknown>)
    )
    const body = fc.uint8Array({ maxLength: 200 }).map((data) => splitFrame(encode(WriteSingleRpc, { data }))[0]!)
    fc.assert(
      fc.property(fc.oneof(body, mutated(body)), (body) => {
        const payload = framed(body)
        const read = wire.payload("EventLog.WriteSingle", payload)
        const expected = decode(payload)
        // What is refused here only: fields that are there twice, many, or big without being of use.
        if (Result.isSuccess(read)) expect(read.success).toEqual(Result.getOrThrow(expected))
        else if (Result.isSuccess(expected)) expect(modestFields(payload, true)).toBeUndefined()
      }),
      runs(2_000)
    )
  })

  it("may be nothing, with the call that begins", () => {
    // What effect's decoder takes for `undefined`, which no stock client sends.
    expect(isTaken("EventLog.Hello", Uint8Array.of(1, 32))).toBe(true)
  })

  it("may have a field that is not known", () => {
    expect(isTaken("EventLog.Authenticate", withField(proof(), 0, [1, 7]))).toBe(true)
    expect(isTaken("EventLog.Changes", withField(changes(), 1, [9]))).toBe(true)
    expect(
      isTaken(
        "EventLog.WriteSingle",
        withField(encode(WriteSingleRpc, { data: data.slice(0, 9) }), 2, [...data.slice(0, 8)])
      )
    ).toBe(true)
  })

  it.each<readonly [string, RpcTag, () => Uint8Array]>([
    ["a key of more than 512 bytes", "EventLog.Authenticate", () => proof({ publicKey: "€".repeat(171) })],
    ["a signature of more than 16 KiB", "EventLog.Authenticate", () => proof({ signature: new Uint8Array(16 * 1024) })],
    ["a key of more than 512 bytes", "EventLog.Changes", () => changes({ publicKey: "k".repeat(513) })],
    ["a store id of 256 characters", "EventLog.Changes", () => changes({ storeId: "s".repeat(256) })],
    ["a number of many digits", "EventLog.Changes", () => withField(changes(), 1, digits(11))],
    [
      "a number of a million digits",
      "EventLog.WriteSingle",
      () => withField(encode(WriteSingleRpc, { data }), 1, digits(999_999))
    ],
    [
      "a number of a thousand digits in its part",
      "EventLog.WriteChunked",
      () =>
        framed([
          ...chunk({ id: 1, part: [0, 1], data: data.slice(0, 9) }).subarray(1),
          ...unsigned(5 * 8),
          ...unsigned(1_000),
          ...digits(1_000)
        ])
    ],
    [
      "many fields that are not known",
      "EventLog.WriteSingle",
      () =>
        Array.from({ length: 16 }).reduce(
          (payload: Uint8Array, _, index) => withField(payload, 7, [], 5 + index),
          encode(WriteSingleRpc, { data: data.slice(0, 9) })
        )
    ],
    ["a field twice", "EventLog.Changes", () => withField(withField(changes(), 1, [9]), 1, [9])],
    ["bytes after it", "EventLog.Changes", () => Uint8Array.of(...changes(), 0)],
    ["nothing", "EventLog.Changes", () => new Uint8Array(0)]
  ])("is refused with %s: %s", (_, tag, payload) => {
    expect(isTaken(tag, payload())).toBe(false)
  })
})

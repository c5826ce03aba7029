import { Result, Schema } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  decodeRequestUnencrypted,
  decodeResponseUnencrypted,
  encodeRequestUnencrypted,
  encodeResponseUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "../../src/wire/index.ts"
import { requests, responses, runs } from "./arbitraries.ts"
import { ProtocolRequest, ProtocolResponse } from "./schemas.ts"

const isRequest = Schema.is(ProtocolRequest)
const isResponse = Schema.is(ProtocolResponse)

describe("a client's message comes back as it was sent, and fits its schema", () => {
  it.each(Object.entries(requests))("%s", (_, message: fc.Arbitrary<ProtocolRequestUnencrypted>) => {
    fc.assert(
      fc.property(message, (sent) => {
        const received = Result.getOrThrow(decodeRequestUnencrypted(encodeRequestUnencrypted(sent)))
        expect(received).toStrictEqual(sent)
        expect(isRequest(received)).toBe(true)
      }),
      runs(50)
    )
  })
})

describe("a server's message comes back as it was sent, and fits its schema", () => {
  it.each(Object.entries(responses))("%s", (_, message: fc.Arbitrary<ProtocolResponseUnencrypted>) => {
    fc.assert(
      fc.property(message, (sent) => {
        const received = Result.getOrThrow(decodeResponseUnencrypted(encodeResponseUnencrypted(sent)))
        expect(received).toStrictEqual(sent)
        expect(isResponse(received)).toBe(true)
      }),
      runs(50)
    )
  })
})

import { Result } from "effect"
import { describe, expect, it } from "vitest"
import {
  decodeRequestUnencrypted,
  decodeResponseUnencrypted,
  encodeRequestUnencrypted,
  encodeResponseUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "../../src/wire/index.ts"
import { requests, responses } from "./arbitraries.ts"
import { type GoldenFrame, goldenFrames, goldenVariants } from "./golden/index.ts"

const ofClient = (frame: GoldenFrame) => frame.from !== "server"
const ofServer = (frame: GoldenFrame) => frame.from !== "client"
const cases = (frames: ReadonlyArray<GoldenFrame>) =>
  frames.map((frame) => [`${frame.message._tag}: ${frame.meaning}`, frame] as const)

describe("golden frames of a client", () => {
  it.each(cases(goldenFrames.filter(ofClient)))("%s: is written as ever", (_, { bytes, message }) => {
    expect(encodeRequestUnencrypted(message as ProtocolRequestUnencrypted)).toStrictEqual(bytes)
  })

  it.each(cases([...goldenFrames, ...goldenVariants].filter(ofClient)))("%s: is read", (_, { bytes, message }) => {
    expect(Result.getOrThrow(decodeRequestUnencrypted(bytes))).toEqual(message)
  })

  it("cover every message", () => {
    expect(new Set(goldenFrames.filter(ofClient).map(({ message }) => message._tag))).toEqual(
      new Set(Object.keys(requests))
    )
  })
})

describe("golden frames of a server", () => {
  it.each(cases(goldenFrames.filter(ofServer)))("%s: is written as ever", (_, { bytes, message }) => {
    expect(encodeResponseUnencrypted(message as ProtocolResponseUnencrypted)).toStrictEqual(bytes)
  })

  it.each(cases([...goldenFrames, ...goldenVariants].filter(ofServer)))("%s: is read", (_, { bytes, message }) => {
    expect(Result.getOrThrow(decodeResponseUnencrypted(bytes))).toEqual(message)
  })

  it("cover every message", () => {
    expect(new Set(goldenFrames.filter(ofServer).map(({ message }) => message._tag))).toEqual(
      new Set(Object.keys(responses))
    )
  })
})

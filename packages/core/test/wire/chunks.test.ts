import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type ChunkError,
  type ChunkedMessage,
  ChunkJoiner,
  chunkBytes,
  chunkOverheadBytes,
  decodeRequestUnencrypted,
  decodeResponseUnencrypted,
  defaultLimits,
  encodeRequestUnencrypted,
  splitMessage
} from "../../src/wire/index.ts"
import { runs } from "./arbitraries.ts"

type Chunk = typeof ChunkedMessage.Type

const KiB = 1024
const limits = { maxMessageBytes: 64 * KiB, maxChunkedMessages: 3 }

const chunk = (id: number, index: number, total: number, data = Uint8Array.of(index)): Chunk => ({
  _tag: "ChunkedMessage",
  id,
  part: [index, total],
  data
})

const decodeChunk = (frame: Uint8Array): Chunk => {
  const message = Result.getOrThrow(decodeRequestUnencrypted(frame))
  if (message._tag !== "ChunkedMessage") throw new Error("Not a part")
  return message
}

/** What a joiner says to the last of some parts, the others being accepted. */
const answerTo = (joiner: ChunkJoiner, ...chunks: ReadonlyArray<Chunk>) => {
  for (const accepted of chunks.slice(0, -1)) Result.getOrThrow(joiner.add(accepted))
  return joiner.add(chunks.at(-1)!)
}

const refusalOf = (joiner: ChunkJoiner, ...chunks: ReadonlyArray<Chunk>): ChunkError => {
  const answer = answerTo(joiner, ...chunks)
  if (Result.isSuccess(answer)) throw new Error("It was accepted")
  return answer.failure
}

describe("splitMessage", () => {
  it("leaves a message of up to 512,000 bytes as it is", () => {
    const message = new Uint8Array(chunkBytes)
    expect(chunkBytes).toBe(512_000)
    expect(splitMessage(message, 1)).toEqual([message])
    expect(splitMessage(message, 1)[0]).toBe(message)
  })

  it("cuts a longer one into full parts and a rest, in order", () => {
    const message = new Uint8Array(2 * chunkBytes + 1).fill(7)
    const parts = splitMessage(message, 9).map(decodeChunk)
    expect(parts.map(({ id, part, data }) => [id, part, data.length])).toEqual([
      [9, [0, 3], chunkBytes],
      [9, [1, 3], chunkBytes],
      [9, [2, 3], 1]
    ])
  })

  it("is the same from both sides", () => {
    const frames = splitMessage(new Uint8Array(chunkBytes + 1), 1)
    expect(frames).toHaveLength(2)
    for (const frame of frames) expect(decodeResponseUnencrypted(frame)).toStrictEqual(decodeRequestUnencrypted(frame))
  })

  it("keeps its frames within the announced overhead", () => {
    const most = Number.MAX_SAFE_INTEGER
    const data = new Uint8Array(chunkBytes)
    const longest = encodeRequestUnencrypted({ _tag: "ChunkedMessage", id: most, part: [most, most], data })
    expect(longest.length).toBeLessThanOrEqual(chunkBytes + chunkOverheadBytes)
    expect(longest.length).toBeLessThanOrEqual(defaultLimits.maxFrameBytes)
  })

  it("cuts smaller parts for a peer that takes only those", () => {
    const frames = splitMessage(new Uint8Array(1_000), 1, 300)
    expect(frames.map((frame) => decodeChunk(frame).data.length)).toEqual([300, 300, 300, 100])
  })
})

describe("ChunkJoiner", () => {
  it("joins the parts of several messages, mixed and in any order", () => {
    const message = fc.uint8Array({ minLength: 1, maxLength: 2_000 })
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 50, max: 300 }),
        fc.infiniteStream(fc.nat()),
        (messages, partBytes, order) => {
          const joiner = new ChunkJoiner(limits)
          const chunked = messages.filter(({ length }) => length > partBytes)
          const parts = chunked
            .flatMap((bytes, id) => splitMessage(bytes, id, partBytes).map(decodeChunk))
            .map((part) => [order.next().value, part] as const)
            .toSorted(([a], [b]) => a - b)
            .map(([, part]) => part)
          const joined = parts.map((part) => [part.id, Result.getOrThrow(joiner.add(part))] as const)
          const complete = new Map(joined.filter(([, bytes]) => bytes !== undefined))
          expect(complete).toStrictEqual(new Map(chunked.map((bytes, id) => [id, bytes])))
        }
      ),
      runs(100)
    )
  })

  it("takes a message of one part", () => {
    const joiner = new ChunkJoiner(limits)
    expect(answerTo(joiner, chunk(1, 0, 1))).toStrictEqual(Result.succeed(Uint8Array.of(0)))
  })

  it("takes the id of a finished message again", () => {
    const joiner = new ChunkJoiner(limits)
    expect(answerTo(joiner, chunk(1, 0, 2), chunk(1, 1, 2))).toStrictEqual(Result.succeed(Uint8Array.of(0, 1)))
    expect(answerTo(joiner, chunk(1, 1, 2), chunk(1, 0, 2))).toStrictEqual(Result.succeed(Uint8Array.of(0, 1)))
  })

  it.each([
    ["a part that comes twice", [chunk(1, 0, 3), chunk(1, 0, 3)]],
    ["a part that comes again with other bytes", [chunk(1, 0, 3), chunk(1, 0, 3, Uint8Array.of(9))]],
    ["a part at the total", [chunk(1, 2, 2)]],
    ["a part beyond the total", [chunk(1, Number.MAX_SAFE_INTEGER, 2)]],
    ["a total of none", [chunk(1, 0, 0)]],
    ["another total than before", [chunk(1, 0, 3), chunk(1, 1, 4)]],
    ["a smaller total than parts so far", [chunk(1, 0, 3), chunk(1, 1, 3), chunk(1, 0, 1)]],
    ["an empty part before the last", [chunk(1, 0, 2, new Uint8Array(0))]],
    ["one message too many", [chunk(1, 0, 2), chunk(2, 0, 2), chunk(3, 0, 2), chunk(4, 0, 2)]]
  ])("closes with 1008 for %s", (_, chunks) => {
    expect(refusalOf(new ChunkJoiner(limits), ...chunks)).toMatchObject({ _tag: "ChunkError", closeCode: 1008 })
  })

  it("closes with 1009 for more bytes than a message may have", () => {
    const half = new Uint8Array(32 * KiB)
    expect(answerTo(new ChunkJoiner(limits), chunk(1, 0, 2, half), chunk(1, 1, 2, half))).toStrictEqual(
      Result.succeed(new Uint8Array(64 * KiB))
    )
    expect(
      refusalOf(new ChunkJoiner(limits), chunk(1, 0, 3, half), chunk(1, 2, 3, half), chunk(1, 1, 3))
    ).toMatchObject({ closeCode: 1009 })
  })

  it("closes with 1009 for more parts than a message of that size can need", () => {
    expect(Result.isSuccess(answerTo(new ChunkJoiner(limits), chunk(1, 0, 64)))).toBe(true)
    expect(refusalOf(new ChunkJoiner(limits), chunk(1, 0, 65))).toMatchObject({ closeCode: 1009 })
    expect(refusalOf(new ChunkJoiner(limits), chunk(1, 0, Number.MAX_SAFE_INTEGER))).toMatchObject({ closeCode: 1009 })
  })

  it("counts unfinished messages only", () => {
    const joiner = new ChunkJoiner(limits)
    for (let id = 0; id < 10; id++) {
      expect(Result.isSuccess(answerTo(joiner, chunk(id, 0, 2), chunk(id, 1, 2)))).toBe(true)
    }
    expect(Result.isSuccess(answerTo(joiner, chunk(1, 0, 2), chunk(2, 0, 2), chunk(3, 0, 2)))).toBe(true)
    expect(Result.isSuccess(joiner.add(chunk(9, 0, 1)))).toBe(false)
  })

  it("holds no more than it may, whatever comes", () => {
    const anyChunk = fc
      .tuple(fc.nat(5), fc.nat(8), fc.nat(8), fc.nat(24 * KiB))
      .map(([id, index, total, size]) => chunk(id, index, total, new Uint8Array(size)))
    fc.assert(
      fc.property(fc.array(anyChunk, { maxLength: 40, size: "max" }), (chunks) => {
        const joiner = new ChunkJoiner(limits)
        const held = new Map<number, number>()
        for (const part of chunks) {
          const answer = joiner.add(part)
          if (Result.isFailure(answer)) return
          held.set(part.id, (held.get(part.id) ?? 0) + part.data.length)
          expect(held.get(part.id)).toBeLessThanOrEqual(limits.maxMessageBytes)
          if (answer.success !== undefined) {
            expect(answer.success).toHaveLength(held.get(part.id)!)
            held.delete(part.id)
          }
          expect(held.size).toBeLessThanOrEqual(limits.maxChunkedMessages)
        }
      }),
      runs(200)
    )
  })
})

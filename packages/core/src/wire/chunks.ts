import { Data, Result } from "effect"
import { encodeRequestUnencrypted } from "./codec.ts"
import type { Limits } from "./limits.ts"
import type { ChunkedMessage } from "./messages.ts"

/** Bytes above which a message travels in parts, and bytes of each part but the last. */
export const chunkBytes = 512_000

/** Bytes of a `ChunkedMessage` frame besides its data, at most. */
export const chunkOverheadBytes = 80

/**
 * Fewest bytes that the parts of a message have on average, as far as its number of parts goes: a message of
 * `maxMessageBytes` has at most that many bytes divided by this number of parts.
 */
const leastChunkBytes = 1024

type Chunk = typeof ChunkedMessage.Type

/** Bytes of each part of a message, for a peer with these limits: its frames fit. */
export const partBytesFor = ({ maxFrameBytes }: Pick<Limits, "maxFrameBytes">): number =>
  Math.max(1, Math.min(chunkBytes, maxFrameBytes - chunkOverheadBytes))

/**
 * The frames of an encoded message: itself while it has at most `partBytes`, else one `ChunkedMessage` for each
 * `partBytes` of it. The `id` names it among the chunked messages that its sender has under way.
 *
 * A peer that announced a small `maxFrameBytes` wants the `partBytes` of `partBytesFor`.
 */
export const splitMessage = (message: Uint8Array, id: number, partBytes = chunkBytes): ReadonlyArray<Uint8Array> => {
  if (message.length <= partBytes) return [message]
  const total = Math.ceil(message.length / partBytes)
  return Array.from({ length: total }, (_, index) =>
    encodeRequestUnencrypted({
      _tag: "ChunkedMessage",
      id,
      part: [index, total],
      data: message.subarray(index * partBytes, (index + 1) * partBytes)
    })
  )
}

/** A part that can't belong to a message. The connection is to be closed. */
export class ChunkError extends Data.TaggedError("ChunkError")<{
  /** 1008: the parts contradict each other or are too many. 1009: the message is too big. */
  readonly closeCode: 1008 | 1009
  /** A short English sentence; it fits a close reason. */
  readonly message: string
}> {}

interface Pending {
  readonly total: number
  readonly parts: Map<number, Uint8Array>
  bytes: number
}

/**
 * Puts the chunked messages of one peer together. Parts may come in any order, those of several messages mixed.
 *
 * It holds at most `maxChunkedMessages` unfinished messages of `maxMessageBytes` each. A part that comes twice is
 * refused, even with the same bytes: a websocket repeats nothing. After an error the joiner is of no use any more.
 *
 * What comes out is bytes: whether they are a message, and that it is not a `ChunkedMessage` again, is for the caller
 * to see.
 */
export class ChunkJoiner {
  private readonly limits: Pick<Limits, "maxMessageBytes" | "maxChunkedMessages">
  private readonly pending = new Map<number, Pending>()

  constructor(limits: Pick<Limits, "maxMessageBytes" | "maxChunkedMessages">) {
    this.limits = limits
  }

  /** The joined message when `chunk` was its last missing part, else `undefined`. */
  add(chunk: Chunk): Result.Result<Uint8Array | undefined, ChunkError> {
    const [index, total] = chunk.part
    const message = this.pending.get(chunk.id) ?? { total, parts: new Map(), bytes: 0 }
    const error = this.check(chunk, message)
    if (error !== undefined) return Result.fail(error)
    message.parts.set(index, chunk.data)
    message.bytes += chunk.data.length
    if (message.parts.size < total) {
      this.pending.set(chunk.id, message)
      return Result.succeed(undefined)
    }
    this.pending.delete(chunk.id)
    return Result.succeed(join(message))
  }

  private check(chunk: Chunk, message: Pending): ChunkError | undefined {
    const [index, total] = chunk.part
    const { maxMessageBytes, maxChunkedMessages } = this.limits
    if (index >= total) return behaviour("A part outside of its message")
    if (total > Math.ceil(maxMessageBytes / leastChunkBytes)) return tooBig("Too many parts")
    if (total !== message.total) return behaviour("Parts of one message differ in their total")
    if (message.parts.has(index)) return behaviour("A part came twice")
    if (chunk.data.length === 0 && index < total - 1) return behaviour("An empty part before the last")
    if (message.bytes + chunk.data.length > maxMessageBytes) return tooBig("The message is too big")
    if (!this.pending.has(chunk.id) && this.pending.size >= maxChunkedMessages) {
      return behaviour("Too many unfinished chunked messages")
    }
    return undefined
  }
}

const behaviour = (message: string) => new ChunkError({ closeCode: 1008, message })
const tooBig = (message: string) => new ChunkError({ closeCode: 1009, message })

const join = ({ bytes, parts, total }: Pending): Uint8Array => {
  const message = new Uint8Array(bytes)
  let offset = 0
  for (let index = 0; index < total; index++) {
    const data = parts.get(index)!
    message.set(data, offset)
    offset += data.length
  }
  return message
}

import { Result } from "effect"
import type { ProtocolResponseUnencrypted } from "../wire/index.ts"
import { type AnnouncedLimits, ChunkJoiner, decodeResponseUnencrypted } from "../wire/index.ts"
import { ConnectionFailure } from "./errors.ts"

const violation = (message: string) => Result.fail(new ConnectionFailure({ reason: "Protocol", message }))

/** Turns the server's frames into messages, chunked ones put together. After a failure it is of no use any more. */
export class Inbox {
  #joiner: ChunkJoiner

  constructor(limits: Pick<AnnouncedLimits, "maxMessageBytes" | "maxChunkedMessages">) {
    this.#joiner = new ChunkJoiner(limits)
  }

  /** The message that a frame holds or completes; `undefined` while parts are missing. */
  add(frame: Uint8Array | string): Result.Result<ProtocolResponseUnencrypted | undefined, ConnectionFailure> {
    if (typeof frame === "string") return violation("The server sent a text frame")
    const message = decode(frame)
    if (Result.isFailure(message) || message.success._tag !== "ChunkedMessage") return message
    const joined = this.#joiner.add(message.success)
    if (Result.isFailure(joined)) return violation(joined.failure.message)
    if (joined.success === undefined) return Result.succeed(undefined)
    const whole = decode(joined.success)
    if (Result.isSuccess(whole) && whole.success._tag === "ChunkedMessage") return violation("A chunk inside of chunks")
    return whole
  }
}

const decode = (bytes: Uint8Array): Result.Result<ProtocolResponseUnencrypted, ConnectionFailure> =>
  Result.mapError(
    decodeResponseUnencrypted(bytes),
    (error) => new ConnectionFailure({ reason: "Protocol", message: error.message, cause: error })
  )

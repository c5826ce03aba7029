import { RpcMessage } from "effect/rpc"
import { ByteWriter, sizedBytes, unsignedBytes } from "./ByteWriter.ts"
import { equalBytes, otherLayout } from "./layout.ts"
import { splitFrame } from "./splitFrame.ts"

type Id = string | number

type Encode = (message: RpcMessage.FromClientEncoded | RpcMessage.FromServerEncoded) => Uint8Array

/** The first byte of a message, the hash of the layout, and which of the messages it is. */
const headBytes = 10

/** The first byte of an id that is a number. */
const numberId = 0

/** Ids below are whole numbers of seven bytes at most; effect writes others as a float. They are numbered from 0 on. */
const endOfPlainIds = 2 ** 48

/** Writes the frames that a server sends. */
export interface FrameEncoder {
  /** Answers a call, or ends its stream. */
  readonly exit: (requestId: Id, exit: Uint8Array) => Uint8Array
  /** Gives the frames of one stream, around values that were encoded before. */
  readonly chunksOf: (requestId: Id) => (values: Uint8Array) => Uint8Array
  /** Answers a ping. */
  readonly pong: Uint8Array
}

/**
 * An encoder of the frames that go out for each call and each page. They are what effect's own encoder makes; that looks
 * at every message as if it knew nothing of it, which costs more than all the rest of sending it.
 *
 * @param encode effect's own encoder, whose layout is tried; throws where it is another one than is written here
 */
export const makeFrameEncoder = (encode: Encode): FrameEncoder => {
  const [exitHead, chunkHead] = [headOf(encode(exitOf(0, sample))), headOf(encode(chunkOf(0, sample)))]
  const idOf = (id: Id): Uint8Array =>
    typeof id === "number" && isPlain(id) ? plainId(id) : idIn(encode({ _tag: "Ack", requestId: id as never }))
  const frames: FrameEncoder = {
    exit: (requestId, exit) => frameOf(exitHead, idOf(requestId), exit),
    chunksOf: (requestId) => {
      const id = idOf(requestId)
      return (values) => frameOf(chunkHead, values, id)
    },
    pong: encode(RpcMessage.constPong).slice()
  }
  tryOut(frames, encode)
  return frames
}

/** A message of two fields, behind its length. */
const frameOf = (head: Uint8Array, first: Uint8Array, second: Uint8Array): Uint8Array => {
  const length = head.length + sizedBytes(first.length) + sizedBytes(second.length)
  const writer = new ByteWriter(sizedBytes(length))
  writer.unsigned(length)
  writer.raw(head)
  writer.sized(first)
  writer.sized(second)
  return writer.bytes
}

const isPlain = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < endOfPlainIds && !Object.is(id, -0)

/** The sign of a number is its lowest bit. */
const plainId = (id: number): Uint8Array => {
  const writer = new ByteWriter(1 + unsignedBytes(id * 2))
  writer.unsigned(numberId)
  writer.unsigned(id * 2)
  return writer.bytes
}

/** The id in a message that has nothing else. */
const idIn = (frame: Uint8Array): Uint8Array => splitFrame(splitFrame(frame)[0]!.subarray(headBytes))[0]!.slice()

const headOf = (frame: Uint8Array): Uint8Array => splitFrame(frame)[0]!.slice(0, headBytes)

const exitOf = (id: Id, exit: Uint8Array) => ({ _tag: "Exit", requestId: id as never, exit: exit as never }) as const
const chunkOf = (id: Id, values: Uint8Array) =>
  ({ _tag: "Chunk", requestId: id as never, values: values as never }) as const

const sample = Uint8Array.of(1, 2, 3, 4, 5)
const sampleIds: ReadonlyArray<Id> = ["the id", "", 0, 63, 64, 1_000, endOfPlainIds - 1, endOfPlainIds, -0, -3, 1.25]

const tryOut = (frames: FrameEncoder, encode: Encode): void => {
  const isSame = (id: Id): boolean =>
    equalBytes(frames.exit(id, sample), encode(exitOf(id, sample))) &&
    equalBytes(frames.chunksOf(id)(sample), encode(chunkOf(id, sample)))
  if (!sampleIds.every(isSame)) throw otherLayout("the messages of its RPC")
}

import { ByteReader, MalformedBytes } from "./ByteReader.ts"

/** Messages of a frame, at most. A stock client sends one. */
const maxMessages = 64

/**
 * Cuts a websocket frame into its messages, without the length that stands before each. Throws `MalformedBytes` where the
 * last one isn't whole: a parser would wait for the rest of it, and keep what it has. Throws also where they are many.
 */
export const splitFrame = (frame: Uint8Array): ReadonlyArray<Uint8Array> => {
  const reader = new ByteReader(frame)
  const messages: Array<Uint8Array> = []
  while (reader.remaining > 0) {
    if (messages.length === maxMessages) throw new MalformedBytes("Too many messages")
    messages.push(reader.view(reader.unsigned()))
  }
  return messages
}

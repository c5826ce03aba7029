/** Bytes of a length, at most: enough for any frame. */
const maxLengthBytes = 5

/** Messages of a frame, at most. A stock client sends one. */
const maxMessages = 64

/**
 * Cuts a websocket frame into its messages, each with its length before it (7 bits a byte, the lowest first). Throws where
 * the last one isn't whole: a parser would wait for the rest of it, and keep what it has. Throws also where they are many.
 */
export const splitFrame = (frame: Uint8Array): ReadonlyArray<Uint8Array> => {
  const messages: Array<Uint8Array> = []
  for (let start = 0; start < frame.length; ) {
    const end = endOfMessage(frame, start)
    if (end > frame.length) throw new RangeError("A message that is cut off")
    if (messages.length === maxMessages) throw new RangeError("Too many messages")
    messages.push(frame.subarray(start, end))
    start = end
  }
  return messages
}

const endOfMessage = (frame: Uint8Array, start: number): number => {
  let length = 0
  for (let index = 0; index < maxLengthBytes; index++) {
    const byte = frame[start + index]
    if (byte === undefined) break
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return start + index + 1 + length
  }
  throw new RangeError("A length that has no end")
}

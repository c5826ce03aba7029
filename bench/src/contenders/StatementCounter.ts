/** Bytes of what is before a message: its type, unless it is one of the first, and its length. */
const headerBytes = 5

const types = { query: "Q".charCodeAt(0), execute: "E".charCodeAt(0) }

/** Counts the statements in what a client sends to PostgreSQL, however it is cut into pieces. */
export class StatementCounter {
  #count = 0
  #rest: Buffer = Buffer.alloc(0)
  /** Bytes that still belong to the last message. */
  #toSkip = 0

  get count(): number {
    return this.#count
  }

  /** Takes the next bytes. */
  take(bytes: Uint8Array): void {
    let left = Buffer.concat([this.#rest, bytes])
    while (true) {
      const skipped = Math.min(this.#toSkip, left.length)
      this.#toSkip -= skipped
      left = left.subarray(skipped)
      if (left.length < headerBytes) break
      this.#message(left)
    }
    this.#rest = left
  }

  /** Looks at a message that begins there. A statement is a query, or ends up in an execute when it has parameters. */
  #message(bytes: Buffer): void {
    const [type] = bytes
    // The first messages have no type. Their length, which counts itself, begins with a zero.
    const isTyped = type !== 0
    this.#toSkip = isTyped ? 1 + bytes.readUInt32BE(1) : bytes.readUInt32BE(0)
    if (type === types.query || type === types.execute) this.#count++
  }
}

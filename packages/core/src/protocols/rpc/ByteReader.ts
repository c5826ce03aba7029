/** Where bytes stand. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Bytes that are cut off, or are not what they are read as. */
export class MalformedBytes extends Error {}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Bytes of an unsigned number, at most: enough for any length in a frame, and for the tag of a field. */
const maxUnsignedBytes = 5

/**
 * Reads the parts that effect's SchemaBinary is made of, one after the other. Nothing is copied or decoded unless it is
 * asked for. Whatever reaches beyond the end, and text that isn't UTF-8, throws `MalformedBytes`.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #position: number

  /** Reads from `start` up to `end`. */
  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes
    this.#position = start
    this.#end = end
  }

  /** Where the next byte stands. */
  get position(): number {
    return this.#position
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.#end - this.#position
  }

  /** Where a part of so many bytes ends that begins here. */
  endOf(length: number): number {
    const end = this.#position + length
    if (end > this.#end) throw new MalformedBytes("Cut off")
    return end
  }

  /** Passes over bytes. */
  skip(length: number): void {
    this.#position = this.endOf(length)
  }

  /** The next byte. */
  byte(): number {
    if (this.#position >= this.#end) throw new MalformedBytes("Cut off")
    return this.#bytes[this.#position++]!
  }

  /** A number with 7 bits a byte, the lowest first; of 5 bytes at most. */
  unsigned(): number {
    let value = 0
    for (let index = 0, scale = 1; index < maxUnsignedBytes; index++, scale *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    throw new MalformedBytes("A number that is too long")
  }

  /** Bytes that share the memory of all. */
  view(length: number): Uint8Array {
    const start = this.#position
    this.skip(length)
    return this.#bytes.subarray(start, this.#position)
  }

  /** Passes over bytes, and tells where they stand. */
  span(length: number): Span {
    const start = this.#position
    this.skip(length)
    return { start, end: this.#position }
  }

  /** What was read since `start`, as bytes of their own. */
  copy(start: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes.subarray(start, this.#position))
  }

  /** Text of so many bytes, of which there may be `maxBytes`. */
  text(length: number, maxBytes: number): string {
    if (length > maxBytes) throw new MalformedBytes("A text that is too long")
    if (length === 0) return ""
    const bytes = this.view(length)
    try {
      return utf8.decode(bytes)
    } catch {
      throw new MalformedBytes("Not UTF-8")
    }
  }
}

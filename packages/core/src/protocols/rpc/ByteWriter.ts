const encoder = new TextEncoder()

/** How many bytes a number takes that has 7 bits in each. */
export const unsignedBytes = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** How many bytes something takes with its length before it. */
export const sizedBytes = (length: number): number => unsignedBytes(length) + length

/** How many bytes a text has in UTF-8. Most names are ASCII, for which asking an encoder costs more than a loop. */
export const textBytes = (text: string): number => {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) >= 0x80) return encoder.encode(text).byteLength
  }
  return text.length
}

/** Writes the parts that effect's SchemaBinary is made of, one after the other, into as many bytes as they take. */
export class ByteWriter {
  readonly bytes: Uint8Array<ArrayBuffer>
  #position = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }

  /** A number with 7 bits a byte, the lowest first. */
  unsigned(value: number): void {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.bytes[this.#position++] = (rest % 0x80) + 0x80
    this.bytes[this.#position++] = rest
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#position)
    this.#position += bytes.length
  }

  /** Bytes behind their length. */
  sized(bytes: Uint8Array): void {
    this.unsigned(bytes.length)
    this.raw(bytes)
  }

  /** A text behind its length, which is `textBytes(text)`. */
  text(text: string, length: number): void {
    this.unsigned(length)
    if (length === text.length) {
      for (let index = 0; index < length; index++) this.bytes[this.#position + index] = text.charCodeAt(index)
    } else encoder.encodeInto(text, this.bytes.subarray(this.#position))
    this.#position += length
  }
}

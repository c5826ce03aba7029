import { Malformed } from "./fields.ts"

/** Containers inside containers; the deepest message has 4. */
const maxDepth = 16

/** Keys of one map; the longest map of the protocol has 10. */
const maxMapKeys = 64

/**
 * An array, a map or a byte string takes 1 or 2 bytes when it is empty, and a hundred in memory. The messages of the
 * protocol spend at least 17 bytes on each: asking for nearly that bounds what a frame can make a decoder allocate.
 */
const bytesPerObject = 16

/** Arrays, maps and byte strings that a message may have however short it is. */
const freeObjects = 16

/** Bytes of the fields before the one that is refused, at most, for them to be worth a look. */
const maxBeforeBytes = 1024

/** How much a message may hold. */
export interface Bounds {
  /** Elements of one array. */
  readonly maxElements: number
  /** Values together, map keys included. */
  readonly maxValues: number
  /** Bytes of one string. */
  readonly maxTextBytes: number
  /** Bytes of all strings. */
  readonly maxAllTextBytes: number
}

// More than a message can have, and small enough for the engine to count without making objects of the numbers.
const most = 2 ** 31 - 1

const boundless: Bounds = { maxElements: most, maxValues: most, maxTextBytes: most, maxAllTextBytes: most }

/**
 * Checks, before anything is decoded, that `bytes` hold exactly one MessagePack value made of nil, booleans, numbers,
 * UTF-8 strings, byte strings, arrays and maps with string keys, that every declared length fits into the bytes, and
 * that nothing is beyond `bounds`. It looks at no element of an array that is too long, and at no byte of such a string.
 *
 * A decoder allocates by declared lengths and builds objects from extension types; neither may be left to a peer.
 *
 * Throws `Malformed`. Strings that are not UTF-8 don't keep the rest from being read: they are reported in the answer.
 */
export const assertWellFormed = (bytes: Uint8Array, bounds = boundless): { readonly validText: boolean } => {
  const walk = new Walk(bytes, bounds)
  walk.value(0)
  if (walk.offset !== bytes.length) throw new Malformed("Bytes after the message")
  return walk
}

class Walk {
  offset = 0
  validText = true
  readonly #bytes: Uint8Array
  readonly #bounds: Bounds
  #objects: number
  #values: number
  #textBytes: number
  /** Of the outermost map: where its first field begins, where the last one that was passed ends, and how many were. */
  #start = 0
  #end = 0
  #fields = 0

  constructor(bytes: Uint8Array, bounds: Bounds) {
    this.#bytes = bytes
    this.#bounds = bounds
    this.#objects = freeObjects + Math.ceil(bytes.length / bytesPerObject)
    this.#values = bounds.maxValues
    this.#textBytes = bounds.maxAllTextBytes
  }

  value(depth: number): void {
    this.#count()
    const token = this.#uint(1)
    if (token < 0x80 || token >= 0xe0) return
    if (token < 0x90) return this.#map(token & 0x0f, depth)
    if (token < 0xa0) return this.#array(token & 0x0f, depth)
    if (token < 0xc0) return this.#text(token & 0x1f)
    switch (token) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#binary(this.#uint(1 << (token - 0xc4)))
      case 0xca:
        return this.#skip(4)
      case 0xcb:
        return this.#skip(8)
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#skip(1 << (token - 0xcc))
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.#skip(1 << (token - 0xd0))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (token - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(2 << (token - 0xdc)), depth)
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(2 << (token - 0xde)), depth)
      default:
        this.#refuse("A type that the protocol doesn't use")
    }
  }

  #array(length: number, depth: number): void {
    this.#object(depth)
    this.#expect(length)
    const { maxElements } = this.#bounds
    if (length > maxElements) this.#refuse(`A list may have ${maxElements} elements`, "Limit")
    for (let index = 0; index < length; index++) this.value(depth + 1)
  }

  #map(length: number, depth: number): void {
    this.#object(depth)
    if (length > maxMapKeys) this.#refuse("A map with too many keys")
    if (depth === 0) this.#start = this.offset
    for (let index = 0; index < length; index++) {
      this.#key()
      this.value(depth + 1)
      if (depth === 0) {
        this.#end = this.offset
        this.#fields++
      }
    }
  }

  #key(): void {
    this.#count()
    const token = this.#uint(1)
    if (token >= 0xa0 && token < 0xc0) return this.#text(token & 0x1f)
    if (token >= 0xd9 && token <= 0xdb) return this.#text(this.#uint(1 << (token - 0xd9)))
    this.#refuse("A map key that is no string")
  }

  #text(length: number): void {
    const start = this.offset
    this.#skip(length)
    if (length > this.#bounds.maxTextBytes) this.#refuse("A string that is too long")
    this.#textBytes -= length
    if (this.#textBytes < 0) this.#refuse("The strings are too long together", "Limit")
    for (let index = start; index < this.offset; index++) {
      if (this.#bytes[index]! > 0x7f) {
        this.validText &&= isUtf8(this.#bytes.subarray(index, this.offset))
        return
      }
    }
  }

  #binary(length: number): void {
    this.#object(0)
    this.#skip(length)
  }

  #object(depth: number): void {
    if (depth >= maxDepth) this.#refuse("Too deep")
    if (--this.#objects < 0) this.#refuse("Too many values for its size")
  }

  #count(): void {
    if (--this.#values < 0) this.#refuse("Too many values")
  }

  #skip(length: number): void {
    this.#expect(length)
    this.offset += length
  }

  #expect(length: number): void {
    if (length > this.#bytes.length - this.offset) this.#refuse("Fewer bytes than declared")
  }

  #uint(width: number): number {
    this.#expect(width)
    let value = 0
    for (const end = this.offset + width; this.offset < end; this.offset++) {
      value = value * 0x100 + this.#bytes[this.offset]!
    }
    return value
  }

  #refuse(message: string, reason: "Malformed" | "Limit" = "Malformed"): never {
    throw new Malformed(message, reason, this.#before())
  }

  /** The fields that were passed, as a map of their own: they tell which request it is that is refused. */
  #before(): Uint8Array | undefined {
    const length = this.#end - this.#start
    if (this.#fields === 0 || this.#fields > 15 || length > maxBeforeBytes) return undefined
    const map = new Uint8Array(1 + length)
    map[0] = 0x80 | this.#fields
    map.set(this.#bytes.subarray(this.#start, this.#end), 1)
    return map
  }
}

/**
 * Whether bytes are UTF-8, as `TextDecoder` sees it: no overlong form, no surrogate, nothing beyond the last character. It
 * makes no string of them, which would be let go of at once.
 */
export const isUtf8 = (bytes: Uint8Array): boolean => {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at]! < 0x80 ? 1 : characterBytes(bytes, at)
    if (length === 0) return false
    at += length
  }
  return true
}

/** Bytes of the character beyond ASCII that begins at an index; 0 if none does. */
const characterBytes = (bytes: Uint8Array, at: number): 0 | 2 | 3 | 4 => {
  const lead = bytes[at]!
  if (lead < 0xc2 || lead > 0xf4 || !isSecond(lead, bytes[at + 1])) return 0
  if (lead < 0xe0) return 2
  if (!isLater(bytes[at + 2])) return 0
  if (lead < 0xf0) return 3
  return isLater(bytes[at + 3]) ? 4 : 0
}

/** Whether a byte may be the second one of a character that begins with `lead`. */
const isSecond = (lead: number, byte = 0): boolean => {
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const greatest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  return byte >= least && byte <= greatest
}

const isLater = (byte = 0): boolean => (byte & 0xc0) === 0x80

import { Malformed } from "./Malformed.ts"

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

/**
 * Checks, before anything is decoded, that `bytes` hold exactly one MessagePack value made of nil, booleans, numbers,
 * UTF-8 strings, byte strings, arrays and maps with string keys, and that every declared length fits into the bytes.
 *
 * A decoder allocates by declared lengths and builds objects from extension types; neither may be left to a peer.
 *
 * Throws `Malformed`. Strings that are not UTF-8 don't keep the rest from being read: they are reported in the answer.
 */
export const assertWellFormed = (bytes: Uint8Array): { readonly validText: boolean } => {
  const walk = new Walk(bytes)
  walk.value(0)
  if (walk.offset !== bytes.length) throw new Malformed("Bytes after the message")
  return walk
}

class Walk {
  offset = 0
  validText = true
  private objects: number
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.objects = freeObjects + Math.ceil(bytes.length / bytesPerObject)
  }

  value(depth: number): void {
    const token = this.uint(1)
    if (token < 0x80 || token >= 0xe0) return
    if (token < 0x90) return this.map(token & 0x0f, depth)
    if (token < 0xa0) return this.array(token & 0x0f, depth)
    if (token < 0xc0) return this.text(token & 0x1f)
    switch (token) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.binary(this.uint(1 << (token - 0xc4)))
      case 0xca:
        return this.skip(4)
      case 0xcb:
        return this.skip(8)
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.skip(1 << (token - 0xcc))
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.skip(1 << (token - 0xd0))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.uint(1 << (token - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.array(this.uint(2 << (token - 0xdc)), depth)
      case 0xde:
      case 0xdf:
        return this.map(this.uint(2 << (token - 0xde)), depth)
      default:
        throw new Malformed("A type that the protocol doesn't use")
    }
  }

  private array(length: number, depth: number): void {
    this.object(depth)
    this.expect(length)
    for (let index = 0; index < length; index++) this.value(depth + 1)
  }

  private map(length: number, depth: number): void {
    this.object(depth)
    if (length > maxMapKeys) throw new Malformed("A map with too many keys")
    for (let index = 0; index < length; index++) {
      this.key()
      this.value(depth + 1)
    }
  }

  private key(): void {
    const token = this.uint(1)
    if (token >= 0xa0 && token < 0xc0) return this.text(token & 0x1f)
    if (token >= 0xd9 && token <= 0xdb) return this.text(this.uint(1 << (token - 0xd9)))
    throw new Malformed("A map key that is no string")
  }

  private text(length: number): void {
    const start = this.offset
    this.skip(length)
    for (let index = start; index < this.offset; index++) {
      if (this.bytes[index]! > 0x7f) {
        this.validText &&= isUtf8(this.bytes.subarray(index, this.offset))
        return
      }
    }
  }

  private binary(length: number): void {
    this.object(0)
    this.skip(length)
  }

  private object(depth: number): void {
    if (depth >= maxDepth) throw new Malformed("Too deep")
    if (--this.objects < 0) throw new Malformed("Too many values for its size")
  }

  private skip(length: number): void {
    this.expect(length)
    this.offset += length
  }

  private expect(length: number): void {
    if (length > this.bytes.length - this.offset) throw new Malformed("Fewer bytes than declared")
  }

  private uint(width: number): number {
    this.expect(width)
    let value = 0
    for (const end = this.offset + width; this.offset < end; this.offset++) {
      value = value * 0x100 + this.bytes[this.offset]!
    }
    return value
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

const isUtf8 = (bytes: Uint8Array): boolean => {
  try {
    utf8.decode(bytes)
    return true
  } catch {
    return false
  }
}

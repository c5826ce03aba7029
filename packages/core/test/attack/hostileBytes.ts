import { todoAdded } from "@eventlog-server/testkit/schema"
import fc from "fast-check"
import { Packr } from "msgpackr"

const KiB = 1024
const MiB = 1024 * KiB

const packr = new Packr({ useRecords: false, variableMapSize: true })
const packed = (value: unknown): ReadonlyArray<number> => [...packr.pack(value)]

/** Frames are up to 1 MiB; what is put together from chunks is up to 16 MiB, and rare, since it takes its time. */
export const frameBytes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 4 * KiB }) },
  { weight: 4, arbitrary: fc.integer({ min: 16 * KiB, max: 256 * KiB }) },
  { weight: 2, arbitrary: fc.constant(MiB) },
  { weight: 1, arbitrary: fc.constantFrom(4 * MiB, 16 * MiB) }
)

/** A pattern again and again, cut off where there is no more room. */
export const repeated = (pattern: ReadonlyArray<number>, length: number): Uint8Array => {
  const bytes = new Uint8Array(Math.max(0, length))
  for (let index = 0; index < bytes.length; index++) bytes[index] = pattern[index % pattern.length]!
  return bytes
}

/** The bytes of parts, one after the other. */
export const joined = (parts: ReadonlyArray<Iterable<number>>): Uint8Array => {
  const arrays = parts.map((part) => (part instanceof Uint8Array ? part : Uint8Array.from(part)))
  const bytes = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const array of arrays) {
    bytes.set(array, offset)
    offset += array.length
  }
  return bytes
}

const uint32 = (value: number): ReadonlyArray<number> =>
  [value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 255)

const validEntry = () => {
  const { event, id, payload, primaryKey } = todoAdded("a")
  return { id, event, primaryKey, payload }
}

/** What costs a decoder most for its bytes, each of them again and again. */
const msgpackPatterns: ReadonlyArray<ReadonlyArray<number>> = [
  [0x91],
  [0x81, 0xa1, 0x61],
  [0x80],
  [0x90],
  [0xc4, 0],
  [0xa0],
  [0xa2, 0xc3, 0xa4],
  [0xa1, 0xff],
  [0],
  [0xff],
  [0xcb, 1, 2, 3, 4, 5, 6, 7, 8],
  [0xd4, 0x72, 0x40],
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  packed({}),
  packed(validEntry()),
  packed({ ...validEntry(), payload: new Uint8Array(0), event: "", primaryKey: "" }),
  packed([validEntry()]),
  packed("x".repeat(40)),
  packed({ __proto__: null, a: { b: { c: [] } } })
]

/** How a list, map, text or byte string begins that holds the patterns, and what lengths it may lie about. */
const heads: ReadonlyArray<(count: number, bytes: number) => ReadonlyArray<number>> = [
  (count) => [0xdd, ...uint32(count)],
  (count) => [0xdd, ...uint32(count + 1)],
  () => [0xdd, 255, 255, 255, 255],
  (count) => [0xdf, ...uint32(count)],
  (count) => [0xdc, (count >>> 8) & 255, count & 255],
  (_, bytes) => [0xdb, ...uint32(bytes)],
  (_, bytes) => [0xc6, ...uint32(bytes)],
  (_, bytes) => [0xc9, ...uint32(bytes), 0x40],
  () => []
]

const fields: ReadonlyArray<readonly [string, unknown]> = [
  ["_tag", "WriteEntries"],
  ["id", 7],
  ["publicKey", "A"]
]

/** A message of which one field, wherever it stands, was blown up to so many bytes. */
export const hostileMessages: fc.Arbitrary<Uint8Array> = fc
  .record({
    bytes: frameBytes,
    pattern: fc.oneof(fc.constantFrom(...msgpackPatterns), fc.array(fc.nat(255), { minLength: 1, maxLength: 12 })),
    head: fc.constantFrom(...heads),
    tag: fc.constantFrom("WriteEntries", "RequestChanges", "Authenticate", "ChunkedMessage", "Ping", "Nothing"),
    field: fc.constantFrom("entries", "publicKey", "id", "data", "signature", "_tag", "more"),
    at: fc.nat(3),
    tail: fc.constantFrom(0, 0, 1, 5)
  })
  .map(({ at, bytes, field, head, pattern, tag, tail }) => {
    const content = repeated(pattern, Math.max(0, bytes - 60))
    const count = Math.floor(content.length / pattern.length)
    const others = fields
      .filter(([name]) => name !== field)
      .map(([name, value]) => (name === "_tag" ? [name, tag] : [name, value]))
    const named = others.map(([name, value]) => [...packed(name), ...packed(value)])
    const place = Math.min(at, named.length)
    return joined([
      [0x80 + named.length + 1],
      ...named.slice(0, place),
      packed(field),
      head(count, content.length),
      content.subarray(0, count * pattern.length),
      ...named.slice(place),
      new Uint8Array(tail)
    ])
  })

import { todoAdded } from "@eventlog-server/testkit/schema"
import fc from "fast-check"
import { Packr } from "msgpackr"

const packr = new Packr({ useRecords: false, variableMapSize: true })

type Path = ReadonlyArray<string | number>

const bytes = (maxLength: number) => fc.uint8Array({ maxLength })
const natural = fc.nat({ max: 20 })
const publicKey = fc.constantFrom("A", "H", "B", "")

/** An entry as a plain map; its id is always new, so that a valid one is stored. */
const entry = fc
  .record({ primaryKey: fc.string({ unit: "grapheme", maxLength: 8 }), payload: bytes(40) })
  .map((fields) => {
    const { event, id } = todoAdded("x")
    return { id, event, ...fields }
  })

/** Messages as a client would send them, before they are encoded. */
const message: fc.Arbitrary<object> = fc.oneof(
  fc.record({ _tag: fc.constant("WriteEntries"), id: natural, publicKey, entries: fc.array(entry, { maxLength: 3 }) }),
  fc.record({ _tag: fc.constant("RequestChanges"), publicKey, startSequence: natural, id: natural }),
  fc.record({ _tag: fc.constant("StopChanges"), publicKey, id: natural }),
  fc.record({
    _tag: fc.constant("Authenticate"),
    publicKey,
    signingPublicKey: bytes(32),
    signature: bytes(64),
    algorithm: fc.constantFrom("Ed25519", "none")
  }),
  fc.record({ _tag: fc.constant("Ping"), id: natural }),
  fc.record({ _tag: fc.constant("Pong"), id: natural }),
  fc.record({
    _tag: fc.constant("ChunkedMessage"),
    id: natural,
    part: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 4 })),
    data: bytes(60)
  })
)

/** What doesn't belong where it is put: other types, bounds, names that mean something to JavaScript, depth. */
const strange: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, "", "\u0000", "\ud800", "__proto__", [], {}, new Uint8Array(0)),
  fc.constantFrom(-1, -0, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e300),
  fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n),
  fc.nat({ max: 20 }).map((depth) => Array.from({ length: depth }).reduce((inner) => [inner], {})),
  fc.constant({ __proto__: null, constructor: 1, toString: 2, length: 3 }),
  fc.string({ unit: "binary", maxLength: 600 }),
  bytes(600),
  message
)

/** Where something can be changed: every key and index, however deep. */
const pathsOf = (value: unknown, path: Path = []): ReadonlyArray<Path> => {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return []
  const keys: ReadonlyArray<string | number> = Array.isArray(value) ? [...value.keys()] : Object.keys(value)
  return keys.flatMap((key) => {
    const deeper = [...path, key]
    return [deeper, ...pathsOf((value as Record<string | number, unknown>)[key], deeper)]
  })
}

/** Puts something else at a path, or takes away what is there. */
const change = (value: unknown, [key, ...rest]: Path, replace: (old: unknown) => unknown): unknown => {
  if (key === undefined) return replace(value)
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>
  const changed = change(copy[key], rest, replace)
  if (changed === undefined && !Array.isArray(copy)) delete copy[key]
  else copy[key] = changed
  return copy
}

/** How a value inside a message is changed. `undefined` removes it. */
const replacement: fc.Arbitrary<(old: unknown) => unknown> = fc.oneof(
  fc.constant(() => undefined),
  strange.map((value) => () => value),
  fc.constantFrom<(old: unknown) => unknown>(
    (old) => [old],
    (old) => ({ inner: old }),
    (old) => (Array.isArray(old) ? [...old, ...old] : old),
    (old) => (old instanceof Uint8Array ? Array.from(old) : old),
    (old) => (typeof old === "number" ? String(old) : old),
    (old) => (typeof old === "string" ? new TextEncoder().encode(old) : old)
  )
)

/** Often none: what is stored between the attacks has to be right, too. */
const mutations = fc.oneof(fc.constant([]), fc.array(fc.tuple(fc.nat(), replacement), { maxLength: 3 }))

const mutatedValue: fc.Arbitrary<unknown> = fc.tuple(message, mutations).map(([valid, mutations]) =>
  mutations.reduce<unknown>((value, [seed, replace]) => {
    const paths = pathsOf(value)
    return paths.length === 0 ? value : change(value, paths[seed % paths.length]!, replace)
  }, valid)
)

const encoded = mutatedValue.map((value) => new Uint8Array(packr.pack(value)))

/** How the bytes of a frame are changed. */
const damage: fc.Arbitrary<(frame: Uint8Array) => Uint8Array> = fc.oneof(
  { weight: 8, arbitrary: fc.constant((frame: Uint8Array) => frame) },
  fc.nat().map((at) => (frame: Uint8Array) => frame.subarray(0, at % (frame.length + 1))),
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, flip]) => (frame: Uint8Array) => {
    const copy = frame.slice()
    if (copy.length > 0) copy[at % copy.length]! ^= flip
    return copy
  }),
  bytes(20).map((tail) => (frame: Uint8Array) => Uint8Array.of(...frame, ...tail)),
  fc.constant((frame: Uint8Array) => Uint8Array.of(...frame, ...frame)),
  // A declared length that is a lie, an extension, a reserved byte: msgpack beyond the protocol, in the middle.
  fc
    .tuple(
      fc.nat(),
      fc.constantFrom([0xc1], [0xc9, 255, 255, 255, 255, 1], [0xdd, 255, 255, 255, 255], [0xd4, 0x72, 0x40])
    )
    .map(([at, token]) => (frame: Uint8Array) => {
      const place = at % (frame.length + 1)
      return Uint8Array.of(...frame.subarray(0, place), ...token, ...frame.subarray(place))
    })
)

/** A frame that began as a valid message, and is one no more, most of the time. */
export const mutatedFrames: fc.Arbitrary<Uint8Array> = fc.tuple(encoded, damage).map(([frame, spoil]) => spoil(frame))

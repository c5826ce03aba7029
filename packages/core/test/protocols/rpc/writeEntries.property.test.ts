import { Effect, Fiber, Result, Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { splitFrame } from "../../../src/protocols/rpc/splitFrame.ts"
import { WriteReader } from "../../../src/protocols/rpc/WriteReader.ts"
import { checkWriteLayout, decodeWrite } from "../../../src/protocols/rpc/writeEntries.ts"
import { entry, runs } from "../../wire/arbitraries.ts"
import { framed, mutated, unsigned } from "./mutated.ts"

const { WriteEntriesUnencrypted } = EventLogMessage
const encodeWrite = Schema.encodeUnknownSync(WriteEntriesUnencrypted.FromSchemaBinary)

interface Write {
  readonly publicKey: string
  readonly storeId: string
  readonly entries: ReadonlyArray<EventJournal.Entry>
}

const encode = (write: Write): Uint8Array => {
  const storeId = write.storeId as EventLogMessage.StoreId
  return encodeWrite(new WriteEntriesUnencrypted({ ...write, storeId }, { disableChecks: true }))
}

/** Some entries have names that stood in others, as those of a real journal have. */
const entries = fc
  .tuple(
    fc.array(entry, { maxLength: 100 }),
    fc.infiniteStream(fc.tuple(fc.boolean(), fc.constantFrom("TodoAdded", "", "ünï€"), fc.constantFrom("a", "bß", "")))
  )
  .map(([entries, names]) =>
    entries.map((entry) => {
      const [isRepeated, event, primaryKey] = names.next().value
      return isRepeated ? new EventJournal.Entry({ ...entry, event, primaryKey }) : entry
    })
  )
const text = fc.string({ unit: "binary" })
const write: fc.Arbitrary<Write> = fc.record({ publicKey: text, storeId: text, entries })

const plain = ({ event, id, payload, primaryKey }: EventJournal.Entry) => ({ event, id, payload, primaryKey })

/** What is read of a write, `step` entries at a time; a `RequestError` where it is refused. */
const read = (bytes: Uint8Array, { maxEntries = 1_000, step = 7 } = {}) => {
  const opened = WriteReader.open(bytes, maxEntries)
  if (Result.isFailure(opened)) return opened.failure
  const { publicKey, storeId } = opened.success
  const entries: Array<EventJournal.Entry> = []
  while (!opened.success.isDone) {
    const next = opened.success.next(step)
    if (Result.isFailure(next)) return next.failure
    expect(next.success.length).toBeGreaterThan(0)
    entries.push(...next.success)
  }
  return { publicKey, storeId, entries }
}

const byEffect = (bytes: Uint8Array) =>
  Effect.runSync(Effect.result(WriteEntriesUnencrypted.decode(bytes as Uint8Array<ArrayBuffer>)))

const malformed = { _tag: "RequestError", reason: "Malformed" }

describe("a write of effect's client", () => {
  it("is read as effect reads it, in steps of any size", () => {
    fc.assert(
      fc.property(write, fc.integer({ min: 1, max: 50 }), (write, step) => {
        const decoded = read(encode(write), { step })
        if (decoded instanceof Error) throw decoded
        expect(decoded.entries.every((entry) => entry instanceof EventJournal.Entry)).toBe(true)
        expect({ ...decoded, entries: decoded.entries.map(plain) }).toEqual({
          publicKey: write.publicKey,
          storeId: write.storeId,
          entries: write.entries.map(plain)
        })
      }),
      runs(300)
    )
  })

  it("is refused, or read as effect reads it, however its bytes were changed", () => {
    fc.assert(
      fc.property(mutated(write.map((write) => splitFrame(encode(write))[0]!)), (body) => {
        const bytes = framed(body)
        const decoded = read(bytes, { maxEntries: Number.POSITIVE_INFINITY })
        if (decoded instanceof Error) {
          expect(decoded).toMatchObject(malformed)
          return
        }
        const expected = Result.getOrThrow(byEffect(bytes))
        expect({ ...decoded, entries: decoded.entries.map(plain) }).toEqual({
          publicKey: expected.publicKey,
          storeId: expected.storeId,
          entries: expected.entries.map(plain)
        })
      }),
      runs(3_000)
    )
  })

  it("is refused where it is cut off, or longer", () => {
    const one = fc.sample(entry, { numRuns: 1, seed: 1 })[0]!
    const bytes = encode({ publicKey: "a key", storeId: "a store", entries: [one, one] })
    const cuts = Array.from(bytes, (_, length) => bytes.subarray(0, length))
    // The last two bytes are fields that are not known.
    for (const cut of [...cuts, Uint8Array.of(...bytes, 0), Uint8Array.of(...bytes, 5 * 8 + 7, 6 * 8 + 7)])
      expect(read(cut)).toMatchObject(malformed)
  })

  it("gives entries whose bytes and names are as they were, and share no memory with it", () => {
    const entry = new EventJournal.Entry({
      id: new Uint8Array(16) as EventJournal.EntryId,
      event: "\ufeffone",
      primaryKey: "\ufeff",
      payload: Uint8Array.of(1, 2)
    })
    const bytes = encode({ publicKey: "k".repeat(1_000), storeId: "s", entries: [entry] }).slice()
    const decoded = read(bytes)
    // They keep their rows, and nothing of what stands around them.
    const { id, payload } = (decoded as Write).entries[0]!
    expect(Math.max(id.buffer.byteLength, payload.buffer.byteLength)).toBeLessThan(64)
    bytes.fill(0xff)
    expect(decoded).toMatchObject({ entries: [plain(entry)] })
  })

  it("may have fields that are not known here, and entries of several shapes", () => {
    const note = Schema.optionalKey(Schema.String)
    const evolved = Schema.Struct({
      publicKey: Schema.String,
      entries: Schema.Array(Schema.Struct({ note, ...EventJournal.Entry.fields, more: Schema.Array(Schema.Number) })),
      at: Schema.Number,
      isUrgent: Schema.Boolean,
      scale: Schema.Number,
      storeId: Schema.String
    })
    const encodeEvolved = Schema.encodeUnknownSync(SchemaBinary.toCodec(evolved))
    fc.assert(
      fc.property(fc.array(entry), fc.infiniteStream(fc.boolean()), (entries, hasNote) => {
        const rows = entries.map((entry) => ({
          ...plain(entry),
          more: [1, 2.5],
          ...(hasNote.next().value ? { note: "a note" } : {})
        }))
        const bytes = encodeEvolved({
          publicKey: "k",
          storeId: "s",
          entries: rows,
          at: 2 ** 52,
          isUrgent: true,
          scale: 1.5
        })
        expect(read(bytes)).toMatchObject({ publicKey: "k", storeId: "s", entries: entries.map(plain) })
      }),
      runs(100)
    )
  })
})

const field = (id: number, content: ReadonlyArray<number>) => [
  ...unsigned(id * 8),
  ...unsigned(content.length),
  ...content
]
const literal = (content: ReadonlyArray<number>) => [...unsigned(content.length * 2), ...content]
const [idOf, eventOf, primaryKeyOf, payloadOf] = [0x37386ae0, 0xfe30d09f, 0xc63e3210, 0x330f77a5]
const sixteen = new Array<number>(16).fill(1)

/** A write with rows that were made by hand. */
const handMade = (rows: ReadonlyArray<ReadonlyArray<number>>, count = rows.length) =>
  framed([
    0x20,
    ...field(0x4ca38853, [0x73]),
    ...field(0x6f5882f3, [...unsigned(count), ...rows.flatMap((row) => [...unsigned(row.length), ...row])]),
    ...field(0xf40a06ff, [0x6b])
  ])

const declaring = (...fields: ReadonlyArray<readonly [number, ReadonlyArray<number>]>) => [
  0,
  ...fields.flatMap(([id, content]) => [...unsigned(id), ...content])
]
const known = [
  [idOf, literal(sixteen)],
  [eventOf, literal([0x65])],
  [primaryKeyOf, literal([0x6b])],
  [payloadOf, literal([])]
] as const
const reference = (to: number) => unsigned(to * 2 + 1)

describe("a write that was made by hand", () => {
  it("is read where it is one", () => {
    const rows = [declaring(...known), [1, ...literal(sixteen), ...reference(0), ...reference(0), ...literal([7])]]
    expect(read(handMade(rows))).toMatchObject({
      entries: [
        { event: "e", primaryKey: "k", payload: new Uint8Array(0) },
        { event: "e", primaryKey: "k", payload: Uint8Array.of(7) }
      ]
    })
  })

  const [id, event, primaryKey, payload] = known
  const unknown = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => [from + index, literal([])] as const)
  it.each<readonly [string, ReadonlyArray<ReadonlyArray<number>>]>([
    ["refers to no former event", [declaring(id, [eventOf, reference(0)], primaryKey, payload)]],
    ["refers to a former primary key as its event", [declaring(primaryKey, [eventOf, reference(0)], id, payload)]],
    ["refers to a former payload", [declaring(...known), [1, ...literal(sixteen), ...reference(0), 1, 1]]],
    ["has an id of 15 bytes", [declaring([idOf, literal(sixteen.slice(1))], event, primaryKey, payload)]],
    ["lacks a payload", [declaring(id, event, primaryKey)]],
    ["has a field twice", [declaring(...known, id)]],
    ["has a field that is not known twice", [declaring(...known, [5, literal([])], [5, literal([])])]],
    ["has fields without a name", [declaring(...known, [0, literal([])])]],
    ["has many fields", [declaring(...known, ...unknown(5, 13))]],
    ["has a shape that no row had", [declaring(...known), [2, ...literal(sixteen), 1, 1, 0]]],
    ["has many shapes", Array.from({ length: 17 }, (_, index) => declaring(...known, ...unknown(5 + index, 1)))],
    ["has an event that isn't UTF-8", [declaring(id, [eventOf, literal([0xff])], primaryKey, payload)]],
    [
      "has an event of more than 64 KiB",
      [declaring(id, [eventOf, literal(new Array(65_537).fill(65))], primaryKey, payload)]
    ],
    ["has bytes after its fields", [declaring(...known), [1, ...literal(sixteen), 1, 1, 0, 0]]]
  ])("is refused where an entry %s", (_, rows) => {
    expect(read(handMade(rows))).toMatchObject(malformed)
  })

  it("is refused where it has more or fewer entries than it says", () => {
    expect(Result.isFailure(WriteReader.open(handMade([declaring(...known)], 3), 3))).toBe(true)
    expect(read(handMade([declaring(...known)], 2))).toMatchObject(malformed)
    expect(read(handMade([declaring(...known)], 0))).toMatchObject(malformed)
    const two = [declaring(...known), [1, ...literal(sixteen), 1, 1, 0]]
    expect(read(handMade(two, 1))).toMatchObject(malformed)
    expect(read(handMade([...two, ...two], 2))).toMatchObject(malformed)
  })

  it("is refused for its number of entries before any is looked at", () => {
    const noise = handMade([[0xff, 0xff]], 101)
    expect(read(noise, { maxEntries: 100 })).toMatchObject({ _tag: "RequestError", reason: "Limit" })
    expect(read(noise, { maxEntries: 101 })).toMatchObject(malformed)
  })

  it.each<readonly [string, ReadonlyArray<ReadonlyArray<number>>]>([
    ["many fields", Array.from({ length: 14 }, (_, index) => unsigned((index + 1) * 8 + 7))],
    ["a field twice", [field(0x4ca38853, [0x74])]],
    ["a field that is not known twice", [field(5, []), field(5, [])]],
    ["a number of many digits", [[9 * 8 + 1, ...new Array<number>(11).fill(0x80), 0]]],
    ["a field without a name", [field(0, [])]]
  ])("is refused with %s", (_, fields) => {
    const [body] = splitFrame(handMade([declaring(...known)]))
    expect(read(framed([...body!, 5 * 8 + 7]))).toMatchObject({ publicKey: "k" })
    expect(read(framed([...body!, ...fields.flat()]))).toMatchObject(malformed)
  })
})

describe("decodeWrite", () => {
  const one = fc.sample(entry, { numRuns: 1, seed: 1 })[0]!
  const many = (count: number) => encode({ publicKey: "k", storeId: "s", entries: new Array(count).fill(one) })

  it("lets others go on between its steps", async () => {
    let turns = 0
    // It yields once in each turn.
    const others = Effect.forever(Effect.sync(() => turns++))
    const decoded = await Effect.runPromise(
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(others, { startImmediately: true })
        const write = yield* decodeWrite(many(3_000), 3_000)
        yield* Fiber.interrupt(fiber)
        return write
      })
    )
    expect(decoded.entries.length).toBe(3_000)
    // The first of six steps begins at once.
    expect(turns).toBeGreaterThanOrEqual(5)
  })

  it("reads no more than a MiB in a step", () => {
    const big = new EventJournal.Entry({ ...one, payload: new Uint8Array(400_000) })
    const bytes = encode({ publicKey: "k", storeId: "s", entries: new Array(5).fill(big) })
    const reader = Result.getOrThrow(WriteReader.open(bytes, 5))
    expect(Result.getOrThrow(reader.next(5)).length).toBe(3)
    expect(Result.getOrThrow(reader.next(5)).length).toBe(2)
  })

  it("fails with what is wrong", async () => {
    expect(await Effect.runPromise(Effect.flip(decodeWrite(many(11), 10)))).toMatchObject({ reason: "Limit" })
    expect(await Effect.runPromise(Effect.flip(decodeWrite(Uint8Array.of(1, 2), 10)))).toMatchObject(malformed)
  })
})

describe("an encoder that makes another layout of writes", () => {
  it.each<readonly [string, (write: Write) => Uint8Array]>([
    [
      "with names that are exchanged",
      (write) => encode({ ...write, storeId: write.publicKey, publicKey: write.storeId })
    ],
    ["of another version", (write) => encode(write).map((byte) => (byte === 0x20 ? 0x30 : byte))],
    ["with entries in another order", (write) => encode({ ...write, entries: write.entries.toReversed() })]
  ])("%s is noticed before anything is served", (_, other) => {
    expect(() => checkWriteLayout(other as (write: unknown) => Uint8Array)).toThrow("Install effect 4.1")
  })
})

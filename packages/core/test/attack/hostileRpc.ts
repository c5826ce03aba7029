import { serialization } from "@eventlog-server/testkit/devices"
import { todosAdded } from "@eventlog-server/testkit/schema"
import { Schema } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import fc from "fast-check"
import { fieldIds } from "../../src/protocols/rpc/structFields.ts"
import { unsigned } from "../protocols/rpc/mutated.ts"
import { frameBytes, joined, repeated } from "./hostileBytes.ts"

/** A field of a struct with its length before it. */
const sized = (id: number, length: number, bytes: Iterable<number>) => [unsigned(id * 8), unsigned(length), bytes]

/** A struct as SchemaBinary writes it, behind its length. */
const struct = (parts: ReadonlyArray<Iterable<number>>): Uint8Array => {
  const body = joined([[0x20], ...parts])
  return joined([unsigned(body.length), body])
}

const text = new TextEncoder()
const id16 = Array.from({ length: 16 }, (_, index) => index)
const refer = (index: number) => unsigned(index * 2 + 1)
const row = (parts: ReadonlyArray<Iterable<number>>): Uint8Array => {
  const body = joined(parts)
  return joined([unsigned(body.length), body])
}
const { event, id, payload, primaryKey } = fieldIds

/** The first row of a table: it names its fields, and has the names that others refer to. */
const firstRow = (name: Uint8Array) =>
  row([
    [0],
    ...[unsigned(id), unsigned(32), id16],
    ...[unsigned(event), unsigned(name.length * 2), name],
    ...[unsigned(primaryKey), unsigned(2), [0x61]],
    ...[unsigned(payload), [0]]
  ])

/** Rows that cost a reader most for their bytes. */
const rows: ReadonlyArray<Uint8Array> = [
  row([[1], unsigned(32), id16, refer(0), refer(0), [0]]),
  row([[1], unsigned(32), id16, unsigned(2), [0x62], unsigned(0), [0]]),
  row([[1], unsigned(32), id16, refer(2 ** 30), refer(0), [0]]),
  row([[0], unsigned(id), unsigned(32), id16]),
  row([[2]]),
  row([[0], unsigned(99), [0]]),
  Uint8Array.of(0),
  Uint8Array.of(0x80),
  Uint8Array.of(255, 255, 255, 255, 15),
  Uint8Array.of(1, 1)
]

/** Writes whose rows, counts, names and references were blown up, or lie. */
export const hostileWrites: fc.Arbitrary<Uint8Array> = fc
  .record({
    bytes: frameBytes,
    row: fc.constantFrom(...rows),
    name: fc.constantFrom(0, 1, 255, 64 * 1024, 64 * 1024 + 1),
    count: fc.constantFrom<(count: number) => number>(
      (count) => count,
      (count) => count,
      (count) => count + 1,
      () => 0,
      () => 2 ** 32
    ),
    length: fc.constantFrom<(length: number) => number>(
      (length) => length,
      (length) => length,
      (length) => length + 1,
      () => 2 ** 34
    ),
    key: fc.constantFrom(1, 1, 70_000)
  })
  .map(({ bytes, count, key, length, name, row }) => {
    const first = firstRow(text.encode("n".repeat(name)))
    const others = Math.max(0, Math.floor((bytes - first.length) / row.length))
    const table = joined([unsigned(count(others + 1)), first, repeated([...row], others * row.length)])
    return struct([
      ...sized(fieldIds.publicKey, key, text.encode("k".repeat(key))),
      ...sized(fieldIds.storeId, 1, [0x61]),
      ...sized(fieldIds.entries, length(table.length), table)
    ])
  })

const parser = serialization.makeUnsafe()
const tags = ["Hello", "Authenticate", "WriteSingle", "WriteChunked", "Changes"].map((name) => `EventLog.${name}`)
const encodeWrite = Schema.encodeUnknownSync(EventLogMessage.WriteEntriesUnencrypted.FromSchemaBinary)
const validWrite = encodeWrite(
  new EventLogMessage.WriteEntriesUnencrypted({
    publicKey: "A",
    storeId: EventLogMessage.StoreId.make("default"),
    entries: todosAdded(3).map((entry) => new EventJournal.Entry(entry))
  })
)

/** What comes with a call: structs with fields beyond number and measure. */
const payloads: fc.Arbitrary<Uint8Array> = fc.oneof(
  hostileWrites.map((write) => struct(sized(fieldIds.data, write.length, write))),
  fc
    .record({ bytes: frameBytes, pattern: fc.array(fc.nat(255), { minLength: 1, maxLength: 6 }) })
    .map(({ bytes, pattern }) => struct([repeated(pattern, bytes)])),
  // A whole number without an end, a text that is a field, and fields of no name.
  fc
    .tuple(frameBytes, fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 0))
    .map(([bytes, kind]) => struct([unsigned(fieldIds.publicKey * 8 + kind), repeated([0xff], bytes)])),
  frameBytes.map((bytes) => struct(sized(fieldIds.publicKey, bytes, repeated([0x61], bytes)))),
  fc.constant(struct(sized(fieldIds.data, validWrite.length, validWrite)))
)

const request = (
  id: string | number,
  tag: string,
  payload: Uint8Array,
  headers: ReadonlyArray<readonly [string, string]>
) => parser.encode({ _tag: "Request", id, tag, payload, headers } as never) as Uint8Array

/** Frames of calls, one or many, with a length or a byte changed. */
export const hostileFrames: fc.Arbitrary<Uint8Array> = fc
  .record({
    id: fc.constantFrom<string | number>(1, "x", 2 ** 53, "i".repeat(10_000), -1.5),
    tag: fc.constantFrom(...tags, "Nothing", "t".repeat(10_000)),
    payload: payloads,
    headers: fc.constantFrom(0, 1, 20_000),
    copies: fc.constantFrom(1, 1, 1, 2, 64, 5_000),
    change: fc.option(fc.tuple(fc.nat(120), fc.nat(255))),
    cut: fc.constantFrom(0, 0, 0, 1, 10)
  })
  .map(({ change, copies, cut, headers, id, payload, tag }) => {
    const one = request(
      id,
      tag,
      payload,
      Array.from({ length: headers }, () => ["a", "b"] as const)
    )
    const times = Math.max(1, Math.min(copies, Math.floor((1024 * 1024) / one.length)))
    const frame = joined(Array.from({ length: times }, () => one))
    if (change !== null) frame[change[0] % frame.length] = change[1]
    return frame.subarray(0, frame.length - cut)
  })

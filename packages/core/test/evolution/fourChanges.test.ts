import { Effect, Option, Schema } from "effect"
import { SchemaBinary } from "effect/encoding"
import { EventGroup, EventLog, EventRow } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import { checkSchemaChange } from "../../src/evolution/index.ts"

type AnySchema = EventLog.EventLogSchema<EventGroup.Any>

/** A schema with one event. */
const schemaOf = (payload: Schema.Top): AnySchema =>
  EventLog.schema(EventGroup.empty.add({ tag: "Added", primaryKey: () => "key", payload }))

const codecOf = ({ groups: [group] }: AnySchema) =>
  (group as EventGroup.AnyWithProps).events.Added!.payloadSchemaBinary as Schema.Codec<unknown, Uint8Array<ArrayBuffer>>

/** What the second version reads of what the first one wrote; `"fails"` where it can't. */
const read = (writer: AnySchema, reader: AnySchema, payload: unknown): unknown =>
  Option.getOrElse(
    Schema.decodeUnknownOption(codecOf(reader))(Schema.encodeUnknownSync(codecOf(writer))(payload)),
    () => "fails"
  )

const problems = (...versions: Parameters<typeof checkSchemaChange>) =>
  checkSchemaChange(...versions).map(({ path, reader, reason }) => `${reader} ${path} ${reason}`)

const id = { id: Schema.String }
const withText = (text: Schema.Top) => schemaOf(Schema.Struct({ ...id, text }))
const text = withText(Schema.String)
const hello = { id: "a", text: "hello" }

describe("what stops or corrupts devices", () => {
  it("a removed field: devices of before can't decode", () => {
    const without = schemaOf(Schema.Struct(id))
    expect(read(without, text, { id: "a" })).toBe("fails")
    expect(read(text, without, hello)).toEqual({ id: "a" })
    expect(problems(text, without)).toEqual(["before text MissingField"])
  })

  it("a retyped field: neither can decode, and where it may be missing it is lost", () => {
    const number = withText(Schema.Number)
    expect(read(text, number, hello)).toBe("fails")
    expect(read(number, text, { id: "a", text: 5 })).toBe("fails")
    expect(problems(text, number)).toEqual(["after text OtherType", "before text OtherType"])
    const [maybe, maybeNumber] = [Schema.String, Schema.Number].map((type) => withText(Schema.optionalKey(type)))
    expect(read(maybe!, maybeNumber!, hello)).toEqual({ id: "a" })
    expect(problems(maybe!, maybeNumber!)).toEqual(["after text OtherType", "before text OtherType"])
  })

  it("a widened union: devices of before read something else, without an error", () => {
    const wide = withText(Schema.Union([Schema.String, Schema.Number]))
    expect(read(wide, text, hello)).toEqual({ id: "a", text: "\u0005hello" })
    expect(read(wide, text, { id: "a", text: 5 })).toEqual({ id: "a", text: "\u0004\n" })
    expect(read(text, wide, hello)).toBe("fails")
    expect(read(text, wide, { id: "a", text: "\u0005hello" })).toEqual(hello)
    expect(problems(text, wide)).toEqual(["after text OtherUnion", "before text OtherUnion"])
  })

  it("so is what may be null from now on, or undefined", () => {
    const nullable = withText(Schema.NullOr(Schema.String))
    expect(read(nullable, text, hello)).toEqual({ id: "a", text: "\u0005hello" })
    expect(problems(text, nullable)).toEqual(["after text OtherUnion", "before text OtherUnion"])
    const optional = withText(Schema.optional(Schema.String))
    expect(read(text, optional, hello)).toEqual({ id: "a" })
    expect(read(optional, text, hello)).toEqual({ id: "a", text: "\u0005hello" })
    expect(problems(text, optional)).toEqual([
      "after text OtherUnion",
      "before text MissingField",
      "before text OtherUnion"
    ])
    const defaulted = withText(Schema.String.pipe(Schema.withDecodingDefault(Effect.succeed("none"))))
    expect(read(text, defaulted, hello)).toEqual({ id: "a", text: "none" })
    expect(problems(text, defaulted)).toContain("after text OtherUnion")
  })

  it("a required field without a default: the new version can't decode what was written before", () => {
    const more = schemaOf(Schema.Struct({ ...id, text: Schema.String, done: Schema.Boolean }))
    expect(read(text, more, hello)).toBe("fails")
    expect(read(more, text, { ...hello, done: true })).toEqual(hello)
    expect(problems(text, more)).toEqual(["after done MissingField"])
  })

  it("whole numbers that may be others from now on: new ones can't be decoded, and of a list none can", () => {
    const [whole, any] = [Schema.Int, Schema.Number].map(withText)
    expect(read(whole!, any!, { id: "a", text: 5 })).toEqual({ id: "a", text: 5 })
    expect(read(any!, whole!, { id: "a", text: 0.5 })).toBe("fails")
    expect(problems(whole!, any!)).toEqual(["before text Narrowed"])
    const [wholes, anys] = [Schema.Int, Schema.Number].map((type) => withText(Schema.Array(type)))
    expect(read(wholes!, anys!, { id: "a", text: [1, 2, 300] })).toBe("fails")
    expect(read(anys!, wholes!, { id: "a", text: [1, 2, 300] })).toBe("fails")
    expect(problems(wholes!, anys!)).toEqual(["after text[] OtherType", "before text[] OtherType"])
  })

  it("a removed event, and fewer values", () => {
    expect(problems(text, EventLog.schema(EventGroup.empty))).toEqual(["after  RemovedEvent"])
    const two = withText(Schema.Literals(["a", "b"]))
    const three = withText(Schema.Literals(["a", "b", "c"]))
    expect(read(three, two, { id: "a", text: "c" })).toBe("fails")
    expect(problems(two, three)).toEqual(["before text Narrowed"])
    expect(problems(three, two)).toEqual(["after text Narrowed"])
    const short = withText(Schema.String.check(Schema.isMaxLength(3)))
    expect(read(text, short, hello)).toBe("fails")
    expect(problems(text, short)).toEqual(["after text Narrowed"])
    expect(problems(short, withText(Schema.String.check(Schema.isMaxLength(3))))).toEqual([])
  })
})

describe("what is allowed", () => {
  it.each([
    [
      "an optional field",
      text,
      schemaOf(Schema.Struct({ ...id, text: Schema.String, note: Schema.optionalKey(Schema.String) }))
    ],
    [
      "a field with a default",
      text,
      schemaOf(
        Schema.Struct({
          ...id,
          text: Schema.String,
          done: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false)))
        })
      )
    ],
    [
      "a default where there was none",
      text,
      withText(Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed(""))))
    ],
    ["another order", text, schemaOf(Schema.Struct({ text: Schema.String, ...id }))],
    [
      "another name, with the id of before",
      withText(Schema.String.pipe(SchemaBinary.fieldId(7))),
      schemaOf(Schema.Struct({ ...id, title: Schema.String.pipe(SchemaBinary.fieldId(7)) }))
    ],
    ["a transformation of what is encoded as before", text, withText(Schema.NumberFromString)],
    ["a date of the other kind", withText(Schema.Date), withText(Schema.DateTimeUtc)]
  ])("%s", (_, before, after) => {
    expect(checkSchemaChange(before, after)).toEqual([])
  })

  it("a new event, and a new field of a row", () => {
    const rowOf = <Fields extends Schema.Struct.Fields>(fields: Fields) => {
      const schema = Schema.Struct({ ...id, ...fields }) as unknown as Schema.Struct<typeof id>
      return EventLog.schema(EventGroup.empty.add(EventRow.make("row", { key: "id", schema })))
    }
    const note = Schema.NullOr(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))
    expect(checkSchemaChange(rowOf({}), rowOf({ note }))).toEqual([])
    const more = EventGroup.empty.add({ tag: "Told", primaryKey: () => "key", payload: Schema.Struct(id) })
    expect(checkSchemaChange(text, EventLog.schema(...text.groups, more))).toEqual([])
    expect(checkSchemaChange(rowOf({}), rowOf({ note: Schema.String })).map(({ message }) => message)).toEqual([
      'row: {_tag: "set"}.row.note: it is not written, so the new version can\'t read what is in feeds already (MissingField)'
    ])
  })
})

it("finds what is wrong deep down, everywhere, and in a schema that contains itself", () => {
  const treeOf = (name: Schema.Top): Schema.Top => {
    const tree: Schema.Top = Schema.Struct({ name, children: Schema.Array(Schema.suspend(() => tree)) })
    return tree
  }
  const [before, after] = [Schema.String, Schema.Number].map((name) =>
    schemaOf(Schema.Struct({ left: treeOf(name), right: treeOf(name) }))
  )
  expect(problems(before!, after!)).toEqual([
    "after left.name OtherType",
    "after right.name OtherType",
    "before left.name OtherType",
    "before right.name OtherType"
  ])
})

import { Effect, Result, Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { checkSchemaChange, type SchemaProblem } from "../../src/evolution/index.ts"
import { scaled } from "../processing/harness.ts"

/** A type, so that schemas and values can be made of it, and changed. */
type Type =
  | { readonly is: "string" | "number" | "integer" | "boolean" | "date" | "bytes" }
  | { readonly is: "literals"; readonly of: ReadonlyArray<string> }
  | { readonly is: "nullable" | "array" | "record"; readonly of: Type }
  | { readonly is: "struct"; readonly fields: Fields }
  | { readonly is: "tagged"; readonly members: Readonly<Record<string, Fields>> }

interface FieldType {
  readonly how: "required" | "optional" | "default"
  readonly type: Type
}
type Fields = Readonly<Record<string, FieldType>>

const leafSchemas = {
  string: Schema.String,
  number: Schema.Number,
  integer: Schema.Int,
  boolean: Schema.Boolean,
  date: Schema.Date,
  bytes: Schema.Uint8Array
}

/** A value of a type, for fields that are missing. */
const defaultOf = (type: Type): unknown => {
  switch (type.is) {
    case "literals":
      return type.of[0]
    case "nullable":
      return null
    case "array":
      return []
    case "record":
      return {}
    case "struct":
      return defaultsOf(type.fields)
    case "tagged": {
      const [[_tag, fields]] = Object.entries(type.members) as [[string, Fields]]
      return { _tag, ...defaultsOf(fields) }
    }
    default:
      return { string: "d", number: 0.5, integer: 7, boolean: true, date: new Date(7), bytes: Uint8Array.of(7) }[
        type.is
      ]
  }
}

const defaultsOf = (fields: Fields): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, { how, type }]) => (how === "optional" ? [] : [[name, defaultOf(type)]]))
  )

const fieldSchema = ({ how, type }: FieldType): Schema.Top => {
  const schema = schemaOf(type)
  if (how === "required") return schema
  if (how === "optional") return Schema.optionalKey(schema)
  return (schema as Schema.Codec<unknown>).pipe(Schema.withDecodingDefaultKey(Effect.succeed(defaultOf(type))))
}

const structOf = (fields: Fields): Schema.Struct.Fields =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, fieldSchema(field)]))

const schemaOf = (type: Type): Schema.Top => {
  switch (type.is) {
    case "literals":
      return Schema.Literals(type.of)
    case "nullable":
      return Schema.NullOr(schemaOf(type.of))
    case "array":
      return Schema.Array(schemaOf(type.of))
    case "record":
      return Schema.Record(Schema.String, schemaOf(type.of))
    case "struct":
      return Schema.Struct(structOf(type.fields))
    case "tagged":
      return Schema.Union(
        Object.entries(type.members).map(([tag, fields]) => Schema.TaggedStruct(tag, structOf(fields)))
      )
    default:
      return leafSchemas[type.is]
  }
}

const names = ["a", "b", "c", "d"]

const hows = fc.constantFrom("required" as const, "optional" as const, "default" as const)

const {
  type: anyType,
  field: anyField,
  fields: anyFields
} = fc.letrec<{ type: Type; field: FieldType; fields: Fields; deep: Type }>((tie) => ({
  field: fc.record({ how: hows, type: tie("type") }),
  type: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom("string", "number", "integer", "boolean", "date", "bytes").map((is) => ({ is })),
    tie("deep")
  ) as fc.Arbitrary<Type>,
  deep: fc.oneof(
    fc.subarray(["x", "y", "z"], { minLength: 1 }).map((of): Type => ({ is: "literals", of })),
    fc.record({ is: fc.constantFrom("array", "record"), of: tie("type") }).map((type) => type as Type),
    // What may be null twice says the same as once.
    tie("type").map((of): Type => (of.is === "nullable" ? of : { is: "nullable", of })),
    tie("fields").map((fields): Type => ({ is: "struct", fields })),
    fc
      .dictionary(fc.constantFrom("A", "B", "C"), tie("fields"), { minKeys: 1, maxKeys: 3 })
      .map((members): Type => ({ is: "tagged", members }))
  ) as fc.Arbitrary<Type>,
  fields: fc.dictionary(fc.constantFrom(...names), tie("field"), { maxKeys: 3 }) as fc.Arbitrary<Fields>
}))

const text = fc.constantFrom("", "a", "x", "\u0005x", "\u0002", "longer than eight")

const leafValues: Record<keyof typeof leafSchemas, fc.Arbitrary<unknown>> = {
  string: text,
  number: fc.oneof(fc.nat(300), fc.double({ noNaN: true, noDefaultInfinity: true })),
  integer: fc.oneof(fc.nat(300), fc.maxSafeInteger()),
  boolean: fc.boolean(),
  date: fc.nat(1_000_000).map((time) => new Date(time)),
  bytes: fc.uint8Array({ maxLength: 4 })
}

const fieldValues = (fields: Fields): fc.Arbitrary<Record<string, unknown>> => {
  const entries = Object.entries(fields)
  const requiredKeys = entries.filter(([, { how }]) => how !== "optional").map(([name]) => name)
  return fc.record(Object.fromEntries(entries.map(([name, { type }]) => [name, valuesOf(type)])), { requiredKeys })
}

const valuesOf = (type: Type): fc.Arbitrary<unknown> => {
  switch (type.is) {
    case "literals":
      return fc.constantFrom(...type.of)
    case "nullable":
      return fc.option(valuesOf(type.of))
    case "array":
      return fc.array(valuesOf(type.of), { maxLength: 3 })
    case "record":
      return fc.dictionary(fc.constantFrom(...names, "other"), valuesOf(type.of), { maxKeys: 2 })
    case "struct":
      return fieldValues(type.fields)
    case "tagged":
      return fc.oneof(
        ...Object.entries(type.members).map(([_tag, fields]) => fieldValues(fields).map((rest) => ({ _tag, ...rest })))
      )
    default:
      return leafValues[type.is]
  }
}

/** A type, changed somewhere, or not. */
const changedType = (type: Type): fc.Arbitrary<Type> => {
  const others = [fc.constant(type), anyType]
  switch (type.is) {
    case "nullable":
      return fc.oneof(...others, fc.constant(type.of), changedType(type.of).map(nullable))
    case "array":
    case "record":
      return fc.oneof(
        ...others,
        changedType(type.of).map((of) => ({ ...type, of }))
      )
    case "struct":
      return fc.oneof(
        ...others,
        changedFields(type.fields).map((fields) => ({ ...type, fields }))
      )
    case "tagged":
      return fc.oneof(
        ...others,
        changedMembers(type.members).map((members) => ({ ...type, members }))
      )
    case "number":
    case "integer":
      return fc.oneof(...others, fc.constant<Type>({ is: type.is === "number" ? "integer" : "number" }))
    default:
      return fc.oneof(...others, fc.constant(nullable(type)))
  }
}

const nullable = (of: Type): Type => (of.is === "nullable" ? of : { is: "nullable", of })

const changedMembers = (members: Readonly<Record<string, Fields>>) =>
  fc
    .tuple(fc.constantFrom("A", "B", "C"), anyFields, fc.record(mapped(members, changedFields)))
    .map(([tag, fields, changed]) => ({ ...changed, [tag]: members[tag] ?? fields }))

const mapped = <A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]))

const changedField = ({ how, type }: FieldType): fc.Arbitrary<FieldType> =>
  fc.record({
    how: fc.oneof({ weight: 3, arbitrary: fc.constant(how) }, hows),
    type: fc.oneof({ weight: 3, arbitrary: fc.constant(type) }, fc.constant(type).chain(changedType))
  })

const changedFields = (fields: Fields): fc.Arbitrary<Fields> =>
  fc
    .tuple(
      fc.record(mapped(fields, changedField)),
      fc.subarray(Object.keys(fields)),
      fc.option(fc.tuple(fc.constantFrom(...names), anyField), { nil: undefined })
    )
    .map(([changed, kept, added]) => ({
      ...Object.fromEntries(kept.map((name) => [name, changed[name]!])),
      ...(added !== undefined && { [added[0]]: added[1] })
    }))

/** What a reader must make of a value: what was written, but for fields that it doesn't know, and with its defaults. */
const expected = (value: unknown, writer: Type, reader: Type): unknown => {
  if (writer.is === "struct" && reader.is === "struct") return expectedFields(value, writer.fields, reader.fields)
  if (writer.is === "array" && reader.is === "array") {
    return (value as ReadonlyArray<unknown>).map((element) => expected(element, writer.of, reader.of))
  }
  if (writer.is === "record" && reader.is === "record") {
    return mapped(value as Record<string, unknown>, (element) => expected(element, writer.of, reader.of))
  }
  if (writer.is === "nullable" && value !== null) return expected(value, writer.of, reader)
  if (reader.is === "nullable" && value !== null) return expected(value, writer, reader.of)
  if (writer.is === "tagged" && reader.is === "tagged") {
    const { _tag } = value as { readonly _tag: string }
    const known = reader.members[_tag]
    return known === undefined ? value : { _tag, ...expectedFields(value, writer.members[_tag]!, known) }
  }
  return value
}

const expectedFields = (value: unknown, writer: Fields, reader: Fields): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(reader).flatMap(([name, { how, type }]) => {
      const written = (value as Record<string, unknown>)[name]
      if (written !== undefined) return [[name, expected(written, writer[name]!.type, type)]]
      return how === "default" ? [[name, defaultOf(type)]] : []
    })
  )

const eventOf = (fields: Fields) => {
  const payload = Schema.Struct(structOf(fields))
  const group = EventGroup.empty.add({ tag: "Added", primaryKey: () => "key", payload })
  const codec = group.events.Added!.payloadSchemaBinary as Schema.Codec<unknown, Uint8Array<ArrayBuffer>>
  return { schema: EventLog.schema(group), codec, type: { is: "struct", fields } as const }
}

type Version = ReturnType<typeof eventOf>

const isEqual = (a: unknown, b: unknown): boolean => {
  try {
    expect(a).toEqual(b)
    return true
  } catch {
    return false
  }
}

/** Whether the reader makes of a value what it must. */
const isRead = (value: unknown, writer: Version, reader: Version): boolean => {
  const bytes = Schema.encodeUnknownSync(writer.codec)(value)
  const decoded = Schema.decodeUnknownResult(reader.codec)(bytes)
  return Result.isSuccess(decoded) && isEqual(decoded.success, expected(value, writer.type, reader.type))
}

const change = anyFields.chain((before) => fc.tuple(fc.constant(before), changedFields(before)))

/** Both ways of a change, with what is said of each. */
const waysOf = ([fieldsBefore, fieldsAfter]: readonly [Fields, Fields]) => {
  const [before, after] = [eventOf(fieldsBefore), eventOf(fieldsAfter)]
  const problems = checkSchemaChange(before.schema, after.schema)
  const of = (side: SchemaProblem["reader"]) => problems.filter(({ reader }) => reader === side)
  return [
    { writer: before, reader: after, problems: of("after") },
    { writer: after, reader: before, problems: of("before") }
  ]
}

describe("checkSchemaChange, against what is really encoded and decoded", () => {
  it("finds nothing only where every value is read as it was written", () => {
    fc.assert(
      fc.property(change, fc.integer(), (versions, seed) => {
        for (const { problems, reader, writer } of waysOf(versions)) {
          if (problems.length > 0) continue
          const values = fc.sample(fieldValues(writer.type.fields), { seed, numRuns: 20 })
          expect(values.filter((value) => !isRead(value, writer, reader))).toEqual([])
        }
      }),
      { numRuns: scaled(1_000, 50_000) }
    )
  })

  it("finds something only where some value is not", () => {
    fc.assert(
      fc.property(change, fc.integer(), (versions, seed) => {
        for (const { problems, reader, writer } of waysOf(versions)) {
          if (problems.length === 0) continue
          const values = fc.sample(fieldValues(writer.type.fields), { seed, numRuns: 500 })
          expect(
            values.some((value) => !isRead(value, writer, reader)),
            problems[0]?.message
          ).toBe(true)
        }
      }),
      { numRuns: scaled(200, 5_000) }
    )
  })
})

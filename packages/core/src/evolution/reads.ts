import type { SchemaAST } from "effect"
import {
  type Choice,
  type Declared,
  encodedOf,
  type Field,
  type Leaf,
  type List,
  type Shape,
  type Struct,
  shapeOf
} from "./shape.ts"

type AST = SchemaAST.AST

/**
 * Why one version of a schema can't read what another wrote.
 *
 * - `MissingField`: a field that has to be there may be missing. The entry can't be decoded.
 * - `OtherType`: the bytes of one type are read as another. The entry can't be decoded, or the field is lost where it may be
 *   missing, or is something else.
 * - `OtherUnion`: one side has a union, whose values say in their bytes which member they are, and the other has none. A text
 *   is read with a byte too many, without an error; anything else as with `OtherType`.
 * - `UnknownMember`: a member of a union, which the reader doesn't have. An entry with it can't be decoded.
 * - `Narrowed`: the reader takes fewer values. An entry with another one can't be decoded.
 * - `RemovedEvent`: nobody handles the event's entries any more.
 */
export type SchemaProblemReason =
  | "MissingField"
  | "OtherType"
  | "OtherUnion"
  | "UnknownMember"
  | "Narrowed"
  | "RemovedEvent"

/** What is wrong, and where in the payload. */
export interface Flaw {
  /** Such as `items[].name`; empty for the payload as a whole. */
  readonly path: string
  readonly reason: Exclude<SchemaProblemReason, "RemovedEvent">
  /** What differs, in words. */
  readonly detail: string
}

const numbers: ReadonlySet<string> = new Set(["number", "integer", "number out of some"])

const nameOf = (shape: Shape): string => {
  switch (shape._tag) {
    case "Leaf":
      return shape.literals === undefined
        ? shape.kind
        : Array.from(shape.literals, (literal) => JSON.stringify(String(literal))).join(" | ")
    case "Choice":
      return `a union of ${Array.from(shape.members.keys(), (member) => `{${member}}`).join(", ")}`
    case "Declared":
      return typeof shape.id === "string" ? shape.id.replace("effect/schema/", "") : "a type of the app's"
    default:
      return shape._tag.toLowerCase()
  }
}

/** Whether keys that are no fields are read as such, where some may be written, and fields as none of them. */
const hasSameKeys = (writer: Struct, reader: Struct): boolean =>
  writer.rest.length === reader.rest.length ||
  (writer.rest.length === 0 && Array.from(writer.fields.keys()).every((id) => reader.fields.has(id)))

/** Compares what one version writes with what another reads. */
export class Comparison {
  readonly flaws: Array<Flaw> = []
  /** Pairs that are being compared: a schema may contain itself. */
  readonly #open = new Map<AST, Set<AST>>()

  compare(written: AST, read: AST, path: string): void {
    const [writer, reader] = [encodedOf(written), encodedOf(read)]
    const open = this.#open.get(writer) ?? new Set()
    if (open.has(reader)) return
    this.#open.set(writer, open.add(reader))
    this.#shapes(shapeOf(writer), shapeOf(reader), path)
    open.delete(reader)
  }

  #add(path: string, reason: Flaw["reason"], detail: string): void {
    this.flaws.push({ path, reason, detail })
  }

  #shapes(writer: Shape, reader: Shape, path: string): void {
    if (writer._tag === "Choice" && reader._tag === "Choice") return this.#choices(writer, reader, path)
    if (writer._tag === "Choice" || reader._tag === "Choice") {
      return this.#add(path, "OtherUnion", `${nameOf(writer)} is read as ${nameOf(reader)}`)
    }
    if (writer._tag === "Leaf" && reader._tag === "Leaf") return this.#leaves(writer, reader, path, false)
    if (writer._tag === "Struct" && reader._tag === "Struct") return this.#structs(writer, reader, path)
    if (writer._tag === "List" && reader._tag === "List") return this.#lists(writer, reader, path)
    if (writer._tag === "Declared" && reader._tag === "Declared") return this.#declared(writer, reader, path)
    this.#otherType(writer, reader, path)
  }

  #otherType(writer: Shape, reader: Shape, path: string): void {
    this.#add(path, "OtherType", `${nameOf(writer)} is read as ${nameOf(reader)}`)
  }

  /** Compares what nothing but the type tells the length of. */
  #elements(writer: AST | Leaf, reader: AST | Leaf, path: string): void {
    const written = writer._tag === "Leaf" ? writer : shapeOf(writer)
    const expected = reader._tag === "Leaf" ? reader : shapeOf(reader)
    if (written._tag === "Leaf" && expected._tag === "Leaf") return this.#leaves(written, expected, path, true)
    if (writer._tag !== "Leaf" && reader._tag !== "Leaf") return this.compare(writer, reader, path)
    this.#shapes(written, expected, path)
  }

  #leaves(writer: Leaf, reader: Leaf, path: string, isElement: boolean): void {
    if (writer.kind !== reader.kind) {
      if (isElement || !numbers.has(writer.kind) || !numbers.has(reader.kind)) {
        return this.#otherType(writer, reader, path)
      }
      if (reader.kind === "integer") this.#add(path, "Narrowed", `${nameOf(writer)} is read as ${nameOf(reader)}`)
    }
    if (reader.literals !== undefined) this.#literals(writer, reader.literals, path)
    this.#checks(writer.checks, reader.checks, path)
  }

  #literals(writer: Leaf, known: ReadonlySet<unknown>, path: string): void {
    if (writer.literals === undefined) return this.#add(path, "Narrowed", `any ${writer.kind} was allowed`)
    const unknown = Array.from(writer.literals).filter((literal) => !known.has(literal))
    if (unknown.length > 0) this.#add(path, "Narrowed", `${unknown.map(String).join(", ")} is not known`)
  }

  #checks(writer: ReadonlySet<unknown>, reader: ReadonlySet<unknown>, path: string): void {
    const more = Array.from(reader).filter((check) => !writer.has(check))
    if (more.length === 0) return
    const named = more.map((check) => (typeof check === "string" ? check : "one of the app's")).join(", ")
    this.#add(path, "Narrowed", `checks that were not made: ${named}`)
  }

  #structs(writer: Struct, reader: Struct, path: string): void {
    this.#checks(writer.checks, reader.checks, path)
    if (!hasSameKeys(writer, reader)) return this.#add(path, "OtherType", "other keys than fields are not the same")
    for (const [index, type] of writer.rest.entries()) this.compare(type, reader.rest[index]!, `${path}[key]`)
    for (const [id, field] of reader.fields) {
      const at = path === "" ? field.name : `${path}.${field.name}`
      const written = writer.fields.get(id)
      if (written === undefined) this.#absent(field, writer.rest.length > 0, at)
      else {
        if (field.isRequired && written.mayLack) this.#add(at, "MissingField", "it may be left out")
        this.compare(written.type, field.type, at)
      }
    }
  }

  #absent({ isRequired }: Field, hasOtherKeys: boolean, path: string): void {
    if (isRequired) return this.#add(path, "MissingField", "it is not written")
    if (hasOtherKeys) this.#add(path, "OtherType", "a key of this name may have been written that is no field")
  }

  #lists(writer: List, reader: List, path: string): void {
    this.#checks(writer.checks, reader.checks, path)
    const formOf = ({ elements, rest }: List) =>
      JSON.stringify([elements.map(({ isOptional }) => isOptional), rest.length])
    if (formOf(writer) !== formOf(reader)) {
      return this.#add(path, "OtherType", "it has another number of elements")
    }
    for (const [index, { type }] of writer.elements.entries()) {
      this.#elements(type, reader.elements[index]!.type, `${path}[${index}]`)
    }
    for (const [index, type] of writer.rest.entries()) this.#elements(type, reader.rest[index]!, `${path}[]`)
  }

  #choices(writer: Choice, reader: Choice, path: string): void {
    for (const [member, type] of writer.members) {
      const other = reader.members.get(member)
      if (other === undefined) this.#add(path, "UnknownMember", `{${member}} is not known`)
      else this.#elements(type, other, writer.members.size > 1 ? `${path}{${member}}` : path)
    }
  }

  #declared(writer: Declared, reader: Declared, path: string): void {
    if (writer.id !== reader.id || writer.parameters.length !== reader.parameters.length) {
      return this.#otherType(writer, reader, path)
    }
    for (const [index, type] of writer.parameters.entries()) this.#elements(type, reader.parameters[index]!, path)
  }
}

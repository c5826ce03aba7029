import { SchemaAST, SchemaGetter } from "effect"

type AST = SchemaAST.AST

/** What effect's binary encoding makes of a schema, one level of it: what decides whether another schema can read it. */
export type Shape = Leaf | Struct | List | Choice | Declared

/** A value without parts. */
export interface Leaf {
  readonly _tag: "Leaf"
  readonly kind: string
  /** The values that it may have, where they are told. */
  readonly literals: ReadonlySet<unknown> | undefined
  readonly checks: ReadonlySet<unknown>
}

/** A field of a struct. */
export interface Field {
  readonly name: string
  /** Whether what is written may lack it. */
  readonly mayLack: boolean
  /** Whether it has to be there when it is read. */
  readonly isRequired: boolean
  readonly type: AST
}

export interface Struct {
  readonly _tag: "Struct"
  /** By what stands for them in the encoding, which is made of their names, or is `SchemaBinary.fieldId`. */
  readonly fields: ReadonlyMap<string, Field>
  /** The types of keys that are not fields. */
  readonly rest: ReadonlyArray<AST>
  readonly checks: ReadonlySet<unknown>
}

export interface List {
  readonly _tag: "List"
  readonly elements: ReadonlyArray<{ readonly isOptional: boolean; readonly type: AST }>
  readonly rest: ReadonlyArray<AST>
  readonly checks: ReadonlySet<unknown>
}

/** A union of which each value says in its bytes which member it is. */
export interface Choice {
  readonly _tag: "Choice"
  readonly members: ReadonlyMap<string, AST | Leaf>
}

/** A type that effect, or the app, encodes in a way of its own. */
export interface Declared {
  readonly _tag: "Declared"
  readonly id: unknown
  readonly parameters: ReadonlyArray<AST>
}

const fieldId = "~effect/encoding/SchemaBinary/fieldId"

/** The side of a schema that is encoded, and what a schema that contains itself stands for. */
export const encodedOf = (ast: AST): AST => {
  if (ast._tag === "Suspend") return encodedOf(ast.thunk())
  const link = ast.encoding?.at(-1)
  return link === undefined ? ast : encodedOf(link.to)
}

/** Whether a field is there in all that is written, though it may be missing in what is read: it has a default. */
const isAlwaysWritten = (ast: AST): boolean =>
  !SchemaAST.isOptional(ast) &&
  (ast.encoding?.every(({ transformation }) => transformation.encode === SchemaGetter.passthrough()) ?? true)

/** What the checks of a schema are, by what effect says of them, or by what they are. */
const checksOf = (ast: AST): ReadonlySet<unknown> => {
  const found = new Set<unknown>()
  const add = (check: SchemaAST.Check<never>): void => {
    const id = (check.annotations?.representation as { readonly id?: string } | undefined)?.id
    if (check._tag === "FilterGroup") return check.checks.forEach(add)
    if (id !== isInt) found.add(id === undefined ? check : JSON.stringify(check.annotations?.representation))
  }
  ast.checks?.forEach(add)
  return found
}

const isInt = "effect/schema/isInt"

const isInteger = (ast: AST): boolean => {
  const says = (check: SchemaAST.Check<never>): boolean =>
    (check.annotations?.representation as { readonly id?: string } | undefined)?.id === isInt ||
    (check._tag === "FilterGroup" && check.checks.some(says))
  return ast.checks?.some(says) ?? false
}

const leaf = (ast: AST, kind: string, literals?: ReadonlySet<unknown>): Leaf => ({
  _tag: "Leaf",
  kind,
  literals,
  checks: checksOf(ast)
})

/** A template literal may have values that another can't have, and nobody says which. */
const templateOf = (ast: SchemaAST.TemplateLiteral): Leaf => ({ ...leaf(ast, "string"), checks: new Set([ast]) })

/** The members of a union, and of unions within it. */
const flatten = (types: ReadonlyArray<AST>): ReadonlyArray<AST> =>
  types.map(encodedOf).flatMap((type) => {
    if (type._tag === "Union") return flatten(type.types)
    if (type._tag === "Enum") return type.enums.map(([, value]) => new SchemaAST.Literal(value))
    return type._tag === "Never" ? [] : [type]
  })

/** What tells the members of a union apart that have parts: their fields with one value. */
const tagOf = (ast: AST): string | undefined => {
  const tags: Array<string> = []
  const add = (key: PropertyKey, type: AST): void => {
    const encoded = encodedOf(type)
    if (encoded._tag === "Literal" && !SchemaAST.isOptional(encoded)) {
      tags.push(`${String(key)}: ${JSON.stringify(encoded.literal)}`)
    }
  }
  if (ast._tag === "Objects") for (const { name, type } of ast.propertySignatures) add(name, type)
  if (ast._tag === "Arrays") for (const [index, type] of ast.elements.entries()) add(index, type)
  return tags.length === 0 ? undefined : tags.sort().join(", ")
}

/** Literals of one kind are one member. */
const withLiteral = (before: AST | Leaf | undefined, { literal }: SchemaAST.Literal): Leaf => {
  const others = before?._tag === "Leaf" ? (before.literals ?? []) : []
  const kind = literalKind(typeof literal)
  return { _tag: "Leaf", kind, literals: new Set([...others, literal]), checks: new Set() }
}

const choiceOf = (types: ReadonlyArray<AST>): Shape => {
  const members = new Map<string, AST | Leaf>()
  for (const type of flatten(types)) {
    if (type._tag === "Literal") members.set(typeof type.literal, withLiteral(members.get(typeof type.literal), type))
    else members.set(tagOf(type) ?? memberKind(type), type)
  }
  const [only, ...others] = members.values()
  if (only === undefined || others.length > 0) return { _tag: "Choice", members }
  if (only._tag === "Leaf") return only
  // A single member is written as one of a union only where it has a tag.
  return tagOf(only) === undefined ? shapeOf(only) : { _tag: "Choice", members }
}

const literalKind = (type: string): string => (type === "number" ? "number out of some" : type)

/** What the bytes of a union's value say of it. */
const memberKind = (ast: AST): string => {
  const shape = shapeOf(ast)
  if (shape._tag === "Leaf") return shape.kind === "integer" ? "number" : shape.kind
  return shape._tag === "Declared" ? String(shape.id) : shape._tag
}

const structOf = (ast: SchemaAST.Objects): Struct => ({
  _tag: "Struct",
  fields: new Map(
    ast.propertySignatures.map(({ name, type }) => {
      const encoded = encodedOf(type)
      const isOptional = SchemaAST.isOptional(encoded)
      const id = encoded.context?.annotations?.[fieldId]
      const field = { name: String(name), isRequired: !isOptional, mayLack: isOptional && !isAlwaysWritten(type), type }
      return [typeof id === "number" ? `#${id}` : String(name), field]
    })
  ),
  rest: ast.indexSignatures.map(({ type }) => type),
  checks: checksOf(ast)
})

const listOf = (ast: SchemaAST.Arrays): List => ({
  _tag: "List",
  elements: ast.elements.map((type) => ({ isOptional: SchemaAST.isOptional(encodedOf(type)), type })),
  rest: ast.rest,
  checks: checksOf(ast)
})

/** Dates of both kinds are milliseconds. */
const declaredIds: Readonly<Record<string, string>> = {
  "effect/schema/Date": "date",
  "effect/schema/DateTimeUtc": "date",
  "effect/schema/Json": "json",
  "effect/schema/MutableJson": "json"
}

const declaredOf = (ast: SchemaAST.Declaration): Shape => {
  const id = (ast.annotations?.representation as { readonly id?: string } | undefined)?.id
  const kind = id === undefined ? undefined : declaredIds[id]
  if (kind !== undefined) return leaf(ast, kind)
  return { _tag: "Declared", id: id ?? ast, parameters: ast.typeParameters }
}

/** The shape of a schema's encoded side. */
export const shapeOf = (ast: AST): Shape => {
  const encoded = encodedOf(ast)
  switch (encoded._tag) {
    case "Objects":
      return structOf(encoded)
    case "Arrays":
      return listOf(encoded)
    case "Union":
      return choiceOf(encoded.types)
    case "Enum":
      return choiceOf([encoded])
    case "Declaration":
      return declaredOf(encoded)
    case "Literal":
      return leaf(encoded, literalKind(typeof encoded.literal), new Set([encoded.literal]))
    case "TemplateLiteral":
      return templateOf(encoded)
    case "Number":
      return leaf(encoded, isInteger(encoded) ? "integer" : "number")
    case "Unknown":
    case "Any":
    case "ObjectKeyword":
      return leaf(encoded, "json")
    case "Void":
      return leaf(encoded, "undefined")
    default:
      return leaf(encoded, encoded._tag.toLowerCase())
  }
}

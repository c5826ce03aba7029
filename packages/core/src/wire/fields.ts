/** Bytes or fields that are not what the protocol says. Thrown and caught inside this room only. */
export class Malformed extends Error {
  override readonly name = "Malformed"
  /** `Limit`: it declares more than a request may have. */
  readonly reason: "Malformed" | "Limit"
  /** A map of what the message says before it is refused, in MessagePack; absent where that is nothing, or long. */
  readonly before: Uint8Array | undefined

  constructor(message: string, reason: "Malformed" | "Limit" = "Malformed", before?: Uint8Array) {
    super(message)
    this.reason = reason
    this.before = before
  }
}

/** A decoded map. */
export type WireMap = Readonly<Record<string, unknown>>

/** How a field travels: `read` checks a decoded value or throws `Malformed`, `write` gives what is encoded. */
export interface Field<A> {
  // Methods, so that any field is a Field<unknown>.
  read(value: unknown, name: string): A
  write(value: A): unknown
}

/** A field whose key may be absent. */
export interface OptionalField<A> extends Field<A> {
  readonly optional: true
}

/** The fields of a map, in the order in which they are written. */
export type Fields = Readonly<Record<string, Field<unknown>>>

type OptionalName<F extends Fields> = { [K in keyof F]: F[K] extends OptionalField<unknown> ? K : never }[keyof F]

/** What a field holds once it is read. */
export type FieldType<F> = F extends Field<infer A> ? A : never

type Present<F extends Fields> = { readonly [K in Exclude<keyof F, OptionalName<F>>]: FieldType<F[K]> }
type Absentable<F extends Fields> = { readonly [K in OptionalName<F>]?: FieldType<F[K]> }

/** The object that a map with these fields becomes. */
export type TypeOf<F extends Fields, More = unknown> = {
  readonly [K in keyof (More & Present<F> & Absentable<F>)]: (More & Present<F> & Absentable<F>)[K]
}

/** U+0000 and lone surrogates are refused since databases refuse or change them: the text would not come back as it was. */
export const isStorable = (text: string): boolean => !text.includes("\u0000") && text.isWellFormed()

const encoder = new TextEncoder()

/**
 * Whether a text has more than `maxBytes` bytes in UTF-8. It has no more than three for each UTF-16 unit, so most need no
 * encoding to be measured.
 */
export const exceedsBytes = (text: string, maxBytes: number): boolean =>
  text.length > maxBytes || (text.length * 3 > maxBytes && encoder.encode(text).byteLength > maxBytes)

/**
 * What an entry weighs against a limit in bytes: its payload, event name and primary key. Names count a byte per UTF-16
 * unit, which is close enough for a bound and costs nothing.
 */
export const entryBytes = (entry: {
  readonly payload: Uint8Array
  readonly event: string
  readonly primaryKey: string
}): number => entry.payload.byteLength + entry.event.length + entry.primaryKey.length

const same = <A>(value: A): A => value

/** Whether a value may be an id, a sequence or a count: an integer from 0 to 2^53 - 1. */
export const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Whether a value is a map. */
export const isMap = (value: unknown): value is WireMap =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

/** An integer from 0 to 2^53 - 1. */
export const natural: Field<number> = {
  read: (value, name) => {
    if (!isNatural(value)) throw new Malformed(`${name} is not an integer from 0 to 2^53 - 1`)
    // A float may say -0.
    return value === 0 ? 0 : value
  },
  write: same
}

/** A string of at most so many bytes in UTF-8. */
export const text = (maxBytes = Number.POSITIVE_INFINITY): Field<string> => ({
  read: (value, name) => {
    if (typeof value !== "string") throw new Malformed(`${name} is not a string`)
    if (exceedsBytes(value, maxBytes)) throw new Malformed(`${name} has more than ${maxBytes} bytes`)
    return value
  },
  write: same
})

/** `true` or `false`. */
export const flag: Field<boolean> = {
  read: (value, name) => {
    if (typeof value !== "boolean") throw new Malformed(`${name} is not a boolean`)
    return value
  },
  write: same
}

/** Bytes, at most so many. */
export const binary = (maxBytes = Number.POSITIVE_INFINITY): Field<Uint8Array> => ({
  read: (value, name) => {
    if (!(value instanceof Uint8Array)) throw new Malformed(`${name} is not bytes`)
    if (value.length > maxBytes) throw new Malformed(`${name} has more than ${maxBytes} bytes`)
    return value
  },
  write: same
})

/** The 16 bytes of a UUID. */
export const uuid = <A extends Uint8Array = Uint8Array>(): Field<A> => ({
  read: (value, name) => {
    if (!(value instanceof Uint8Array) || value.length !== 16) throw new Malformed(`${name} is not 16 bytes`)
    return value as A
  },
  write: same
})

/** One of some strings, which are its `literals`. */
export const literal = <const A extends string>(
  ...literals: ReadonlyArray<A>
): Field<A> & { readonly literals: ReadonlyArray<A> } => {
  const known = new Set<unknown>(literals)
  return {
    literals,
    read: (value, name) => {
      if (!known.has(value)) throw new Malformed(`${name} is unknown`)
      return value as A
    },
    write: same
  }
}

/** An array. */
export const array = <A>(item: Field<A>): Field<ReadonlyArray<A>> => ({
  read: (value, name) => {
    if (!Array.isArray(value)) throw new Malformed(`${name} is not an array`)
    return value.map((element) => item.read(element, name))
  },
  write: (items) => items.map((element) => item.write(element))
})

/** An array of two. */
export const pair = <A>(item: Field<A>): Field<readonly [A, A]> => ({
  read: (value, name) => {
    if (!Array.isArray(value) || value.length !== 2) throw new Malformed(`${name} is not a pair`)
    return [item.read(value[0], name), item.read(value[1], name)]
  },
  write: ([first, second]) => [item.write(first), item.write(second)]
})

/** A field that may be absent. */
export const optional = <A>(field: Field<A>): OptionalField<A> => ({ ...field, optional: true })

type Table = ReadonlyArray<readonly [name: string, field: Field<unknown> & { readonly optional?: true }]>

const readFields = (table: Table, map: WireMap, into: Record<string, unknown>): void => {
  for (const [name, field] of table) {
    const value = map[name]
    if (value !== undefined) into[name] = field.read(value, name)
    else if (!field.optional) throw new Malformed(`${name} is missing`)
  }
}

// An absent field is left out: MessagePack has no `undefined`, and nil would be a value.
const writeFields = (table: Table, from: WireMap, into: Record<string, unknown>): void => {
  for (const [name, field] of table) {
    const value = from[name]
    if (value !== undefined) into[name] = field.write(value)
  }
}

/** A map inside a message, its fields in the order given here. */
export const record = <F extends Fields>(fields: F): Field<TypeOf<F>> => {
  const table = Object.entries(fields) as Table
  return {
    read: (value, name) => {
      if (!isMap(value)) throw new Malformed(`${name} is not a map`)
      const out = {}
      readFields(table, value, out)
      return out as TypeOf<F>
    },
    write: (value) => {
      const out = {}
      writeFields(table, value as WireMap, out)
      return out
    }
  }
}

/** A map inside a message of which `make` makes an object with the same members. */
export const instance = <F extends Fields, A extends TypeOf<F>>(
  fields: F,
  make: (values: TypeOf<F>) => A
): Field<A> => {
  const { read, write } = record(fields)
  return { read: (value, name) => make(read(value, name)), write }
}

/** A message: its `_tag`, then its fields in the order given here. */
export interface Message<Tag extends string, F extends Fields> {
  /** The message as an object. There for the compiler only: `typeof Ping.Type`. */
  readonly Type: TypeOf<F, { readonly _tag: Tag }>
  readonly tag: Tag
  readonly fields: F
  read(map: WireMap): TypeOf<F, { readonly _tag: Tag }>
  write(message: TypeOf<F, { readonly _tag: Tag }>): WireMap
}

/** How a message travels. */
export const message = <const Tag extends string, F extends Fields>(tag: Tag, fields: F): Message<Tag, F> => {
  const table = Object.entries(fields) as Table
  const codec: Omit<Message<Tag, F>, "Type"> = {
    tag,
    fields,
    read: (map) => {
      const out = { _tag: tag }
      readFields(table, map, out)
      return out as Message<Tag, F>["Type"]
    },
    write: (value) => {
      const out = { _tag: tag }
      writeFields(table, value as WireMap, out)
      return out
    }
  }
  return codec as Message<Tag, F>
}

interface AnyMessage {
  readonly Type: { readonly _tag: string }
  readonly tag: string
  readonly fields: Fields
  read(map: WireMap): { readonly _tag: string }
  write(message: { readonly _tag: string }): WireMap
}

/** One of some messages, told apart by `_tag`. */
export interface Messages<M> {
  /** There for the compiler only. */
  readonly Type: M
  readonly members: ReadonlyArray<AnyMessage>
  /** Whether there is a message of that tag. */
  has(tag: unknown): tag is string
  read(tag: string, map: WireMap): M
  write(message: M): WireMap
}

/** The messages that one side may send. */
export const oneOf = <const M extends ReadonlyArray<AnyMessage>>(...members: M): Messages<M[number]["Type"]> => {
  const byTag = new Map(members.map((member) => [member.tag, member]))
  const codec: Omit<Messages<M[number]["Type"]>, "Type"> = {
    members,
    has: (tag): tag is string => byTag.has(tag as string),
    read: (tag, map) => byTag.get(tag)!.read(map),
    write: (value) => byTag.get(value._tag)!.write(value)
  }
  return codec as Messages<M[number]["Type"]>
}

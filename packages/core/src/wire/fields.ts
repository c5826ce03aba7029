import { Malformed } from "./Malformed.ts"

/** A decoded map. */
export type WireMap = Readonly<Record<string, unknown>>

/** How a field travels: `read` checks a decoded value or throws `Malformed`, `write` gives what is encoded. */
export interface Field<A> {
  readonly read: (value: unknown, name: string) => A
  readonly write: (value: A) => unknown
}

/** A field whose key may be absent. */
export interface OptionalField<A> extends Field<A> {
  readonly optional: true
}

/** How a message travels, `_tag` included. */
export interface Shape<M> {
  readonly read: (map: WireMap) => M
  readonly write: (message: M) => WireMap
}

type FieldsOf<M> = {
  readonly [K in Exclude<keyof M, "_tag">]-?: object extends Pick<M, K> ? OptionalField<NonNullable<M[K]>> : Field<M[K]>
}

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

/** A string. */
export const text: Field<string> = {
  read: (value, name) => {
    if (typeof value !== "string") throw new Malformed(`${name} is not a string`)
    return value
  },
  write: same
}

/** `true` or `false`. */
export const flag: Field<boolean> = {
  read: (value, name) => {
    if (typeof value !== "boolean") throw new Malformed(`${name} is not a boolean`)
    return value
  },
  write: same
}

/** Bytes. */
export const binary: Field<Uint8Array> = {
  read: (value, name) => {
    if (!(value instanceof Uint8Array)) throw new Malformed(`${name} is not bytes`)
    return value
  },
  write: same
}

/** The 16 bytes of a UUID. */
export const uuid: Field<Uint8Array> = {
  read: (value, name) => {
    if (!(value instanceof Uint8Array) || value.length !== 16) throw new Malformed(`${name} is not 16 bytes`)
    return value
  },
  write: same
}

/** One of some strings. */
export const literal = <A extends string>(values: ReadonlyArray<A>): Field<A> => {
  const known = new Set<unknown>(values)
  return {
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
  write: (items) => items.map(item.write)
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
export const record = <A extends object>(fields: FieldsOf<A>): Field<A> => {
  const table = Object.entries(fields) as Table
  return {
    read: (value, name) => {
      if (!isMap(value)) throw new Malformed(`${name} is not a map`)
      const out = {}
      readFields(table, value, out)
      return out as A
    },
    write: (value) => {
      const out = {}
      writeFields(table, value as WireMap, out)
      return out
    }
  }
}

/** A message: its `_tag`, then its fields in the order given here. */
export const message = <M extends { readonly _tag: string }>(tag: M["_tag"], fields: FieldsOf<M>): Shape<M> => {
  const table = Object.entries(fields) as Table
  return {
    read: (map) => {
      const out = { _tag: tag }
      readFields(table, map, out)
      return out as M
    },
    write: (value) => {
      const out = { _tag: tag }
      writeFields(table, value as unknown as WireMap, out)
      return out
    }
  }
}

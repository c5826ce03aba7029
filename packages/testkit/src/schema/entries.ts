import { Schema } from "effect"
import { EventJournal } from "effect/eventlog"
import { AddedTodos } from "./todos.ts"

/** What a test wants of an entry; the rest doesn't matter to it. */
export interface EntryFields {
  /** @default a new one */
  readonly id?: EventJournal.EntryId
  /** When it was made, in milliseconds since the epoch. @default now */
  readonly msecs?: number
  /** @default "TodoAdded" */
  readonly event?: string
  /** @default "key" */
  readonly primaryKey?: string
  /** Bytes, or how many there are. @default 8 */
  readonly payload?: Uint8Array | number
}

/** Makes an entry, which may be one that no device could make. */
export const makeEntry = (fields: EntryFields = {}): EventJournal.Entry => {
  const { event = "TodoAdded", msecs, payload = 8, primaryKey = "key" } = fields
  return new EventJournal.Entry(
    {
      id: fields.id ?? EventJournal.makeEntryIdUnsafe(msecs === undefined ? {} : { msecs }),
      event,
      primaryKey,
      payload: typeof payload === "number" ? new Uint8Array(payload).fill(7) : (payload as Uint8Array<ArrayBuffer>)
    },
    { disableChecks: true }
  )
}

/** Makes entries, each with a primary key of its own unless it is told otherwise. */
export const makeEntries = (
  count: number,
  fields: EntryFields | ((index: number) => EntryFields) = {}
): Array<EventJournal.Entry> =>
  Array.from({ length: count }, (_, index) =>
    makeEntry({ primaryKey: `key-${index}`, ...(typeof fields === "function" ? fields(index) : fields) })
  )

const encodeAdded = Schema.encodeSync(AddedTodos.events.TodoAdded!.payloadSchemaBinary)

/** What is told of a todo besides its id. */
export interface TodoFields {
  /** When it was added, in milliseconds since the epoch. @default now */
  readonly msecs?: number
  /** @default one that tells the todo from others */
  readonly text?: string
}

/** An entry of `TodoAdded` as a device would make it. */
export const todoAdded = (id: string, { text = `todo ${id}`, ...time }: TodoFields = {}): EventJournal.Entry =>
  makeEntry({ ...time, primaryKey: id, payload: encodeAdded({ id, text }) })

/** Several of them. */
export const todosAdded = (count: number, prefix = "t"): Array<EventJournal.Entry> =>
  Array.from({ length: count }, (_, index) => todoAdded(`${prefix}${index}`))

import { Todos } from "@eventlog-server/example-todo/schema"
import { makeEntry } from "@eventlog-server/testkit/schema"
import { Schema } from "effect"
import { EventJournal } from "effect/eventlog"

const encodePayload = Schema.encodeSync(Todos.events.TodoAdded!.payloadSchemaBinary)

/** Entries that go round some primary keys, a millisecond apart, all of them `age` milliseconds old. */
export const makeEntries = (count: number, keys: number, age = 0): ReadonlyArray<EventJournal.Entry> => {
  const from = Date.now() - age - count
  return Array.from({ length: count }, (_, index) => {
    const id = `todo ${index % keys}`
    const payload = encodePayload({ id, text: "Buy milk, bread and a birthday present for somebody special" })
    return makeEntry({ msecs: from + index, primaryKey: id, payload })
  })
}

/** The same, with their places in a feed. */
export const makeRemoteEntries = (
  entries: ReadonlyArray<EventJournal.Entry>
): ReadonlyArray<EventJournal.RemoteEntry> =>
  entries.map(
    (entry, index) => new EventJournal.RemoteEntry({ remoteSequence: index + 1, entry }, { disableChecks: true })
  )

import type { Event, EventGroup, EventLog } from "effect/eventlog"
import { Comparison, type Flaw, type SchemaProblemReason } from "./reads.ts"

/** Something in a change of a schema that stops devices, or has them read something else than was written. */
export interface SchemaProblem {
  readonly event: string
  /** Where in the payload, such as `items[].name`; empty for the event, or its payload as a whole. */
  readonly path: string
  readonly reason: SchemaProblemReason
  /** Which version goes wrong: `"after"` with entries that are in feeds already, `"before"` with new ones. */
  readonly reader: "before" | "after"
  /** All of this in a sentence. */
  readonly message: string
}

type AnySchema = EventLog.EventLogSchema<EventGroup.Any>

const eventsOf = ({ groups }: AnySchema): ReadonlyMap<string, Event.Any> =>
  new Map((groups as ReadonlyArray<EventGroup.AnyWithProps>).flatMap(({ events }) => Object.entries(events)))

const readers = {
  after: "the new version can't read what is in feeds already",
  before: "devices of the version before can't read what the new one writes"
}

const problemOf = (event: string, reader: SchemaProblem["reader"], { detail, path, reason }: Flaw): SchemaProblem => ({
  event,
  path,
  reason,
  reader,
  message: `${path === "" ? event : `${event}: ${path}`}: ${detail}, so ${readers[reader]} (${reason})`
})

const compare = (
  event: string,
  reader: SchemaProblem["reader"],
  [writer, other]: readonly [Event.Any, Event.Any]
): ReadonlyArray<SchemaProblem> => {
  const comparison = new Comparison()
  comparison.compare(writer.payload.ast, other.payload.ast, "")
  return comparison.flaws.map((flaw) => problemOf(event, reader, flaw))
}

const removed = (event: string): SchemaProblem => ({
  event,
  path: "",
  reason: "RemovedEvent",
  reader: "after",
  message: `${event}: the event was removed, so the new version does nothing with what is in feeds already (RemovedEvent)`
})

/**
 * Compares the schema of a release with the next one, for a test of the app: everything in it that the new version can't
 * read of what the old one wrote, and the other way around, since devices of the old version go on for as long as their users
 * don't update. Nothing is found where both read what either writes.
 *
 * It looks at what is encoded. What transformations, and filters on what is decoded, make of that, it can't know, nor whether
 * the primary key of an event is made in another way.
 *
 * @example
 * ```ts
 * expect(checkSchemaChange(released, schema)).toEqual([])
 * ```
 */
export const checkSchemaChange = (before: AnySchema, after: AnySchema): ReadonlyArray<SchemaProblem> => {
  const next = eventsOf(after)
  return Array.from(eventsOf(before)).flatMap(([name, event]) => {
    const changed = next.get(name)
    if (changed === undefined) return [removed(name)]
    return [...compare(name, "after", [event, changed]), ...compare(name, "before", [changed, event])]
  })
}

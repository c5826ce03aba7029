import { type Context, Effect, Layer } from "effect"
import { type Event, type EventGroup, type EventJournal, EventLog } from "effect/eventlog"
import { registeredBy } from "./registered.ts"

type Entry = EventJournal.Entry

/** Decodes entries of a group, and dies where one of them can't be read whole. */
export type DecodeStrictly<Events extends Event.Any> = (
  entries: ReadonlyArray<Entry>
) => Effect.Effect<ReadonlyArray<Event.TaggedPayload<Events>>>

/**
 * Decodes entries as effect does for compactions of a history: a field that the schema doesn't know makes an entry one that
 * can't be decoded. A newer version of the app added it, and what is written in place of such an entry would lack it.
 *
 * effect's strict codec isn't public, but what it hands to a compaction is.
 */
export const makeStrictDecoding = <Events extends Event.Any>(
  group: EventGroup.EventGroup<Events>,
  context: Context.Context<Event.PayloadSchema<Events>["DecodingServices"]>
): DecodeStrictly<Events> => {
  const decoded = new WeakMap<Entry, Event.TaggedPayload<Events>>()
  const noting = EventLog.groupBatchCompaction(
    group,
    ({ entries }) =>
      Effect.sync(() => {
        for (const { entry, event } of entries) if (event !== undefined) decoded.set(entry, event)
      }),
    { remote: true }
  )
  const [compactor] = Effect.runSync(Effect.scoped(registeredBy(Layer.provide(noting, Layer.succeedContext(context)))))
  const eventOf = (entry: Entry): Effect.Effect<Event.TaggedPayload<Events>> => {
    const event = decoded.get(entry)
    if (event !== undefined) return Effect.succeed(event)
    return Effect.die(new Error(`A "${entry.event}" can't be decoded, or has fields that the schema doesn't know`))
  }
  return (entries) =>
    Effect.andThen(
      compactor!.effect({ entries, remote: true, write: () => Effect.void }),
      Effect.forEach(entries, eventOf)
    )
}

import { type Context, type Duration, Effect, Schema } from "effect"
import { type Event, type EventGroup, EventJournal } from "effect/eventlog"
import type { Compactor, LastBy } from "./compactors.ts"
import { isRowEvent } from "./rowEvents.ts"
import { makeStrictDecoding } from "./strictDecoding.ts"

type Entry = EventJournal.Entry
type AnyEvents = Readonly<Record<string, Event.AnyWithProps>>

/** What a group's compaction is given: the old entries of one primary key, decoded, and where its output goes. */
export interface GroupCompactionInput<Events extends Event.Any> {
  readonly primaryKey: string
  /** In sequence order. */
  readonly entries: ReadonlyArray<Entry>
  /** The same, decoded. */
  readonly events: ReadonlyArray<Event.TaggedPayload<Events>>
  /** Puts an event out in place of some. One that equals an input keeps that input's id. */
  readonly write: <Tag extends Event.Tag<Events>>(
    tag: Tag,
    payload: Event.PayloadWithTag<Events, Tag>
  ) => Effect.Effect<void, never, Event.PayloadSchemaWithTag<Events, Tag>["EncodingServices"]>
  /** Puts an input out as it is, under its own id. */
  readonly forward: (entry: Entry) => Effect.Effect<void>
}

/** Compacts the old entries of one primary key. See `Compactor.effect` for the law, and for `needsOnlyLastBy`. */
export interface CompactGroup<Events extends Event.Any, R> {
  (input: GroupCompactionInput<Events>): Effect.Effect<void, never, R>
  readonly needsOnlyLastBy?: LastBy | undefined
  /** See `KeepLastOptions.removedBy`. */
  readonly removedBy?: string | undefined
}

/**
 * A compactor that works on the decoded events of a group. It dies where an entry can't be decoded, or has fields that the
 * schema doesn't know. Throws where `removedBy` names an event that the group doesn't have: nothing would ever be removed by
 * it. It throws, too, where only last entries are needed and the group has an event of `EventRow`: a row's last entry may be
 * a patch, which is nothing without the row that it patches.
 */
export const makeGroupCompactor = <Events extends Event.Any, R>(
  group: EventGroup.EventGroup<Events>,
  olderThan: Duration.Input,
  compact: CompactGroup<Events, R>,
  context: Context.Context<R | Event.PayloadSchema<Events>["DecodingServices"]>
): Compactor => {
  const events: AnyEvents = group.events
  const { removedBy } = compact
  if (removedBy !== undefined && !Object.hasOwn(events, removedBy)) {
    throw new Error(
      `keepLast: removedBy is ${JSON.stringify(removedBy)}, but the events of the group are ${Object.keys(events).join(", ")}`
    )
  }
  const row = Object.values(events).find(isRowEvent)
  if (compact.needsOnlyLastBy !== undefined && row !== undefined) {
    throw new Error(
      `keepLast: "${row.tag}" is an event of EventRow, whose last entry may be a patch, which is nothing without the row that ` +
        "it patches. effectCompaction(EventRow.compaction(group, row), options) keeps both"
    )
  }
  const decode = makeStrictDecoding(group, context)
  return {
    events: Object.keys(events),
    olderThan,
    needsOnlyLastBy: compact.needsOnlyLastBy,
    effect: ({ entries, forward, write }) =>
      Effect.gen(function* () {
        const primaryKey = entries[0]!.primaryKey
        yield* compact({
          primaryKey,
          entries,
          events: yield* decode(entries),
          write: (tag, payload) => Effect.flatMap(encodeEntry(events, tag, primaryKey, payload), write) as never,
          forward
        })
      }).pipe(Effect.orDie, Effect.provideContext(context)) as Effect.Effect<void>
  }
}

// The id is made later, from what the output stands for.
const noId = new Uint8Array(16) as EventJournal.EntryId

const encodeEntry = (events: AnyEvents, tag: string, primaryKey: string, payload: unknown) =>
  Effect.gen(function* () {
    const event = events[tag]!
    const encoded = yield* Effect.orDie(Schema.encodeUnknownEffect(event.payloadSchemaBinary)(payload))
    if (event.primaryKey(payload) !== primaryKey) {
      return yield* Effect.die(new Error("A compaction may only write events of the primary key that it was given"))
    }
    return new EventJournal.Entry(
      { id: noId, event: tag, primaryKey, payload: encoded as Uint8Array },
      { disableChecks: true }
    )
  })

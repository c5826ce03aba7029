import { Effect, Layer } from "effect"
import type { Event, EventGroup } from "effect/eventlog"
import { EventLogServerUnencrypted } from "./EventLogServerUnencrypted.ts"

/**
 * Registers which reactivity keys the events of a group invalidate on the server, once their handlers succeeded: the
 * same keys for every event, or some for each tag. Each key is invalidated for the entry's primary key.
 */
export const groupReactivity = <Events extends Event.Any>(
  group: EventGroup.EventGroup<Events>,
  keys: { readonly [Tag in Event.Tag<Events>]?: ReadonlyArray<string> } | ReadonlyArray<string>
): Layer.Layer<never, never, EventLogServerUnencrypted> =>
  Layer.effectDiscard(
    Effect.flatMap(EventLogServerUnencrypted, (server) =>
      server.registerReactivity(
        isList(keys)
          ? Object.fromEntries(Object.keys(group.events).map((tag) => [tag, keys]))
          : (keys as Record<string, ReadonlyArray<string>>)
      )
    )
  )

const isList = (keys: object): keys is ReadonlyArray<string> => Array.isArray(keys)

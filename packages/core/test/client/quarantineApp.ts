import { makeEntry, silent } from "@eventlog-server/testkit/schema"
import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { EventGroup, EventJournal, EventLog } from "effect/eventlog"
import {
  type Client,
  EventLogClient,
  generateIdentity,
  memoryQuarantine,
  Quarantine,
  type QuarantineOptions
} from "../../src/client/index.ts"
import { connectRemote, quick, storeId } from "./fixtures.ts"
import { openLine, startServer } from "./liveServer.ts"

const todos = (text: { readonly text: Schema.Struct.Fields[string] }) =>
  EventGroup.empty
    .add({
      tag: "TodoAdded",
      primaryKey: (todo) => (todo as { readonly id: string }).id,
      payload: Schema.Struct({ id: Schema.String, ...text })
    })
    .add({
      tag: "TodoToggled",
      primaryKey: ({ id }) => id,
      payload: Schema.Struct({ id: Schema.String })
    })

/** The events of the first version of an app, and of one that no longer needs a text. */
export const events = {
  old: todos({ text: Schema.String }),
  relaxed: todos({ text: Schema.optionalKey(Schema.String) })
}

/** An entry that the first version can apply. */
export const added = (id: string, msecs?: number) => entryOf(events.old, "TodoAdded", { id, text: id }, msecs)
/** An entry that only the second one can decode. */
export const textless = (id: string, msecs?: number) => entryOf(events.relaxed, "TodoAdded", { id }, msecs)
/** An entry of an event that not every version knows. */
export const toggled = (id: string, msecs?: number) => entryOf(events.old, "TodoToggled", { id }, msecs)

const entryOf = (
  group: ReturnType<typeof todos>,
  event: "TodoAdded" | "TodoToggled",
  payload: { readonly id: string; readonly text?: string },
  msecs: number | undefined
) =>
  makeEntry({
    ...(msecs === undefined ? {} : { msecs }),
    event,
    primaryKey: payload.id,
    payload: Schema.encodeUnknownSync(group.events[event]!.payloadSchemaBinary as Schema.Codec<unknown, Uint8Array>)(
      payload
    )
  })

/** What a device keeps from one start of its app to the next, and what its handlers were called with. */
export const makeDisk = Effect.gen(function* () {
  return {
    journal: yield* EventJournal.makeMemory,
    identity: yield* generateIdentity,
    storage: memoryQuarantine(),
    /** The primary keys that handlers were called with, in their order. */
    handled: [] as Array<string>,
    /** Of how many newer entries a handler was told, where there were any. */
    conflicts: new Map<string, number>()
  }
})
export type Disk = Effect.Success<typeof makeDisk>

/** A version of the app. */
export interface Version {
  /** @default events.old */
  readonly events?: ReturnType<typeof todos>
  /** Whether it has a handler of `TodoToggled`. @default true */
  readonly toggles?: boolean
  /** Primary keys that its handlers throw at. */
  readonly throwsAt?: ReadonlyArray<string>
  readonly quarantine?: Omit<QuarantineOptions, "storage">
  readonly compaction?: Layer.Layer<never, never, unknown>
}

const handlersOf = ({ conflicts, handled }: Disk, { events: group = events.old, throwsAt = [] }: Version) => {
  const handle = (key: string, entry: EventJournal.Entry, newer: ReadonlyArray<unknown>) =>
    Effect.sync(() => {
      handled.push(key)
      if (newer.length > 0) conflicts.set(key, newer.length)
      if (throwsAt.includes(entry.primaryKey)) throw new Error(`no ${entry.primaryKey}`)
    })
  return EventLog.group(group, (_) =>
    _.handle("TodoAdded", ({ conflicts, entry }) => handle(entry.primaryKey, entry, conflicts)).handle(
      "TodoToggled",
      ({ conflicts, entry }) => handle(`${entry.primaryKey} toggled`, entry, conflicts)
    )
  )
}

/** A version that never heard of an event has no handler of it. */
const forgetToggled = Layer.effectDiscard(
  Effect.map(EventLog.Registry, ({ handlers }) => {
    ;(handlers as Map<string, unknown>).delete("TodoToggled")
  })
)

/** Starts a version of the app on what a device keeps. It is stopped with `stop`, or the scope. */
export const startApp = Effect.fnUntraced(function* (url: string, disk: Disk, version: Version = {}) {
  const { identity, journal, storage } = disk
  const { compaction = Layer.empty, quarantine = {}, toggles = true } = version
  const device = Layer.merge(
    Layer.succeed(EventJournal.EventJournal, journal),
    Layer.succeed(EventLog.Identity, identity)
  )
  const kept = Layer.provideMerge(Quarantine.layer({ ...quarantine, storage }), device)
  const app = EventLogClient.layer({ url, ...quick }).pipe(
    Layer.provideMerge(
      Layer.merge(compaction as Layer.Layer<never, never, EventLog.Registry>, toggles ? Layer.empty : forgetToggled)
    ),
    Layer.provideMerge(EventLog.layer(EventLog.schema(version.events ?? events.old), handlersOf(disk, version))),
    Layer.provide(kept)
  )
  const scope = yield* Scope.fork(yield* Effect.scope)
  const context = yield* Layer.buildWithScope(app, scope)
  const client: Client = Context.get(context, EventLogClient)
  return { client, stop: Scope.close(scope, Exit.void) }
})

/** A server that a device of another kind brings entries to, as they are and in their order. */
export const startFeed = Effect.gen(function* () {
  const line = yield* openLine
  line.lead(yield* startServer({ logger: silent }))
  const identity = yield* generateIdentity
  const remote = yield* Effect.orDie(connectRemote({ url: line.url }))
  return {
    url: line.url,
    line,
    feed: (entries: ReadonlyArray<EventJournal.Entry>) => Effect.orDie(remote.write({ identity, storeId, entries }))
  }
})

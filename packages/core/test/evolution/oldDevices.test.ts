import { Context, Effect, Layer, Schema } from "effect"
import { EventGroup, EventJournal, EventLog } from "effect/eventlog"
import { describe, expect, it, onTestFinished } from "vitest"
import { EventLogClient, generateIdentity } from "../../src/client/index.ts"
import { allowAll, createEventLogServer, memoryBackend } from "../../src/index.ts"
import { host } from "../server/host.ts"

const byId = ({ id }: { readonly id: string }) => id

/** The app's groups before and after a release that adds an event, and a field. */
const Before = EventGroup.empty.add({
  tag: "Added",
  primaryKey: byId,
  payload: Schema.Struct({ id: Schema.String })
})
const After = EventGroup.empty
  .add({
    tag: "Added",
    primaryKey: byId,
    payload: Schema.Struct({ id: Schema.String, note: Schema.optionalKey(Schema.String) })
  })
  .add({ tag: "Told", primaryKey: byId, payload: Schema.Struct({ id: Schema.String }) })

const startServer = async () => {
  const server = createEventLogServer({
    schema: EventLog.schema(After),
    handlers: { Added: () => {}, Told: () => {} },
    backend: memoryBackend(),
    auth: allowAll,
    enroll: () => "ours"
  })
  onTestFinished(() => server.close())
  return { server, url: await host(server) }
}

/** Runs a version of the app on a device until it has so much of the feed. Returns what its handlers were told. */
const run = (url: string, journal: EventJournal.EventJournal["Service"], version: "before" | "after", cursor: number) =>
  Effect.gen(function* () {
    const told: Array<unknown> = []
    const tell = ({ entry, payload }: { readonly entry: EventJournal.Entry; readonly payload: unknown }) =>
      Effect.sync(() => void told.push([entry.event, payload]))
    const handlers: Layer.Layer<never, never, EventLog.Registry> =
      version === "before"
        ? (EventLog.group(Before, (on) => on.handle("Added", tell)) as never)
        : (EventLog.group(After, (on) => on.handle("Added", tell).handle("Told", tell)) as never)
    const device = EventLogClient.layer({ url }).pipe(
      Layer.provideMerge(Layer.provideMerge(handlers, EventLog.layerEventLog)),
      Layer.provide([
        Layer.succeed(EventJournal.EventJournal, journal),
        Layer.effect(EventLog.Identity, generateIdentity)
      ])
    )
    const client = Context.get(yield* Layer.build(device), EventLogClient)
    yield* Effect.promise(() => expect.poll(() => client.status().cursor).toBe(cursor))
    return told
  }).pipe(Effect.scoped, Effect.runPromise)

describe("a device of the version before", () => {
  it("passes over an event that it doesn't know, keeps it, and isn't told of it after its update", async () => {
    const { server, url } = await startServer()
    const journal = await Effect.runPromise(EventJournal.makeMemory)
    await server.write({ storeId: "ours", event: "Told", payload: { id: "a" } })
    await server.write({ storeId: "ours", event: "Added", payload: { id: "b", note: "new" } })
    expect(await run(url, journal, "before", 2)).toEqual([["Added", { id: "b" }]])
    await server.write({ storeId: "ours", event: "Told", payload: { id: "c" } })
    expect(await run(url, journal, "after", 3)).toEqual([["Told", { id: "c" }]])
    const events = (await Effect.runPromise(journal.entries)).map(({ event }) => event)
    expect(events.toSorted()).toEqual(["Added", "Told", "Told"])
  })
})

import { Todos } from "@eventlog-server/example-todo/schema"
import { Effect, Layer, Queue } from "effect"
import { EventLogServerUnencrypted as EffectServer, EventLog } from "effect/eventlog"
import { makeEntries, makeRemoteEntries } from "./entries.ts"
import { makeServer, publicKey, storeId } from "./server.ts"

const size = 50_000
const liveKeys = 1_000
const entries = makeEntries(size, liveKeys, 10 * 24 * 60 * 60 * 1_000)

/** Reads a history whose entries are all old: what a new device of ours is sent is its last entry of each key. */
export const makeCompaction = async () => {
  const { run, server } = await makeServer()
  for (let from = 0; from < size; from += 1_000) {
    await run(server.writeToStore({ storeId, entries: entries.slice(from, from + 1_000), runHandlers: false }))
  }
  const read = Effect.scoped(
    Effect.gen(function* () {
      const changes = yield* server.requestChanges(publicKey, 1)
      let left = liveKeys
      while (left > 0) left -= (yield* Queue.takeAll(changes)).length
      return size
    })
  )
  return () => run(read)
}

/** The same with effect's own function, on the entries that its storages hand it. */
export const makeEffectCompaction = async () => {
  const compaction = EventLog.groupCompaction(Todos, ({ entries, forward }) => {
    const last = new Map(entries.map((entry) => [entry.event, entry]))
    return Effect.forEach(last.values(), forward, { discard: true })
  })
  const { compactors } = await Effect.runPromise(
    Effect.provide(EventLog.Registry, Layer.provideMerge(compaction, EventLog.layerRegistry))
  )
  const remoteEntries = makeRemoteEntries(entries)
  return async () => {
    const compacted = await Effect.runPromise(EffectServer.compactBacklog({ remoteEntries, compactors }))
    if (compacted.length !== liveKeys) throw new Error(`effect left ${compacted.length} entries`)
    return size
  }
}

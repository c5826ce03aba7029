import { Effect, Schema } from "effect"
import { EventGroup } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import type { AppliedEvent } from "../../src/compaction/law.ts"
import { checkCompactionLaw, keepLast } from "../../src/index.ts"

const id = Schema.String
const Counters = EventGroup.empty
  .add({
    tag: "Renamed",
    primaryKey: ({ id }) => id,
    payload: Schema.Struct({ id, name: Schema.String })
  })
  .add({
    tag: "Incremented",
    primaryKey: ({ id }) => id,
    payload: Schema.Struct({ id, by: Schema.Number })
  })

const Named = EventGroup.empty
  .add({ tag: "Renamed", primaryKey: ({ id }) => id, payload: Schema.Struct({ id, name: Schema.String }) })
  .add({ tag: "Removed", primaryKey: ({ id }) => id, payload: Schema.Struct({ id }) })

type Counter = { readonly name: string; readonly count: number }
type Applied = AppliedEvent<(typeof Counters)["events"][string]>

const initial: Counter = { name: "", count: 0 }
const renames = ["a", "b", "c"].map((name) => ({ _tag: "Renamed" as const, payload: { id: "x", name } }))
const increments = [1, 2].map((by) => ({ _tag: "Incremented" as const, payload: { id: "x", by } }))

/** A rename with the greatest id wins, as handlers that heed conflicts have it. */
const newestWins = (counter: Counter, event: Applied): Counter => {
  if (event._tag === "Incremented") return { ...counter, count: counter.count + event.payload.by }
  return event.conflicts.length > 0 ? counter : { ...counter, name: event.payload.name }
}

/** The rename that is delivered last wins. */
const latestWins = (counter: Counter, event: Applied): Counter => newestWins(counter, { ...event, conflicts: [] })

const base = { group: Counters, events: renames, initial, apply: newestWins }

describe("checkCompactionLaw", () => {
  it("accepts keepLast for events that say how something is now", async () => {
    await checkCompactionLaw({ ...base, compact: keepLast() })
  })

  it("accepts keepLast by sequence for devices that only read, and rejects it for devices that write", async () => {
    const lawful = { ...base, apply: latestWins, compact: keepLast({ by: "sequence" }) }
    await checkCompactionLaw({ ...lawful, holds: "prefix" })
    await expect(checkCompactionLaw(lawful)).rejects.toMatchObject({ _tag: "CompactionLawError" })
  })

  it("accepts keepLast that keeps nothing of a key beside its removal", async () => {
    const events = [...renames, { _tag: "Removed" as const, payload: { id: "x" } }]
    const named = { group: Named, events, compact: keepLast({ removedBy: "Removed" }) }
    /** A removal is remembered, and wins over what was written before it. */
    await checkCompactionLaw({
      ...named,
      initial: { name: "", namedAt: "", removedAt: "" },
      apply: (state, { _tag, conflicts, entry: { idString }, payload }) => {
        if (conflicts.length > 0 || idString < state.removedAt) return state
        if (_tag === "Renamed") return { ...state, name: payload.name, namedAt: idString }
        return state.namedAt > idString
          ? { ...state, removedAt: idString }
          : { name: "", namedAt: "", removedAt: idString }
      }
    })
    const forgetful = checkCompactionLaw({
      ...named,
      initial: "",
      apply: (name, event) => (event.conflicts.length > 0 ? name : event._tag === "Renamed" ? event.payload.name : "")
    })
    await expect(forgetful).rejects.toMatchObject({ _tag: "CompactionLawError" })
  })

  it("rejects keepLast for events that add up, with a history that shows it", async () => {
    const found = checkCompactionLaw({ ...base, events: increments, compact: keepLast() })
    await expect(found).rejects.toMatchObject({ _tag: "CompactionLawError", history: { length: 2 } })
  })

  it("rejects a sum: a device that holds a part of it counts that twice", async () => {
    const sum = checkCompactionLaw({
      ...base,
      events: increments,
      compact: ({ events, primaryKey, write }) => {
        const by = events.reduce((sum, event) => sum + (event._tag === "Incremented" ? event.payload.by : 0), 0)
        return write("Incremented", { id: primaryKey, by })
      }
    })
    await expect(sum).rejects.toMatchObject({ _tag: "CompactionLawError" })
  })

  it("rejects a snapshot that undoes what a device wrote meanwhile", async () => {
    const snapshot = checkCompactionLaw({
      ...base,
      apply: latestWins,
      compact: ({ events, primaryKey, write }) => {
        const last = events.findLast((event) => event._tag === "Renamed")
        return last?._tag === "Renamed"
          ? write("Renamed", { id: primaryKey, name: `${last.payload.name}!` })
          : Effect.void
      }
    })
    await expect(snapshot).rejects.toMatchObject({ _tag: "CompactionLawError" })
  })
})

import { makeEntry } from "@eventlog-server/testkit/schema"
import { Context, Effect, Schema } from "effect"
import { EventGroup, type EventJournal } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import { makeGroupCompactor } from "../../src/compaction/groupCompactor.ts"
import { type KeepLastOptions, keepLast } from "../../src/compaction/keepLast.ts"

/** Entries of one key, in the order of the feed. @param written events, and when each was written */
const entriesOf = (written: ReadonlyArray<readonly [event: string, msecs: number]>) =>
  written.map(([event, msecs]) => makeEntry({ msecs, event, primaryKey: "key" }))

const kept = (written: Parameters<typeof entriesOf>[0], options: KeepLastOptions): ReadonlyArray<number> => {
  const entries = entriesOf(written)
  const out: Array<EventJournal.Entry> = []
  Effect.runSync(keepLast(options)({ entries, forward: (entry) => Effect.sync(() => void out.push(entry)) }))
  return out.map((entry) => entries.indexOf(entry))
}

describe("keepLast with removedBy", () => {
  const written = [
    ["Set", 1],
    ["Removed", 5],
    ["Moved", 3]
  ] as const

  it("keeps the removal alone where it is the last word on the key", () => {
    expect(kept(written, { removedBy: "Removed" })).toEqual([1])
  })

  it("keeps the last of each event where something came after the removal", () => {
    expect(kept(written, { removedBy: "Removed", by: "sequence" })).toEqual([0, 1, 2])
    expect(kept([...written, ["Set", 6]], { removedBy: "Removed" })).toEqual([1, 2, 3])
  })

  it("makes the same of the last entries of each event as of all", () => {
    const many = [["Set", 4], ["Set", 2], ["Removed", 1], ...written] as const
    expect(kept(many, { removedBy: "Removed" })).toEqual([4])
    expect(kept([many[0], many[4], many[5]], { removedBy: "Removed" })).toEqual([1])
  })

  it("is refused for an event that the group doesn't have", () => {
    const group = EventGroup.empty.add({ tag: "Set", primaryKey: () => "key", payload: Schema.Struct({}) })
    const make = (removedBy: string) => () =>
      makeGroupCompactor(group, "1 hour", keepLast({ removedBy }), Context.empty() as never)
    expect(make("Removed")).toThrow(/removedBy is "Removed", but the events of the group are Set/)
    expect(make("Set")).not.toThrow()
  })
})

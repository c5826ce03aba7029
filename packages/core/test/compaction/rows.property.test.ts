import { Duration, Effect, Exit, Schema } from "effect"
import { EventJournal, EventRow } from "effect/eventlog"
import { StoreId } from "effect/eventlog/EventLogMessage"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { StoreId as OurStoreId } from "../../src/backend/StoreId.ts"
import { asCompactor } from "../../src/compaction/effectCompactor.ts"
import { runCompactor } from "../../src/compaction/outputs.ts"
import { registeredBy } from "../../src/compaction/registered.ts"
import { scaled } from "../processing/harness.ts"
import { Groceries, Grocery, groceryEntry } from "./rows.ts"

type Entry = EventJournal.Entry

const write = fc.oneof(
  fc
    .record({ name: fc.constantFrom("milk", "bread"), count: fc.nat(2) })
    .map((row) => Grocery.set({ id: "x", ...row })),
  fc
    .record({ name: fc.constantFrom("milk", "bread"), count: fc.nat(2) }, { requiredKeys: [] })
    .map((fields) => Grocery.patch("x", fields)),
  fc.constant(Grocery.remove("x"))
)

/** Entries in the order of the feed, when each was made, and whether the device holds it; some are the device's own. */
const history = fc
  .array(fc.record({ write, holds: fc.boolean(), isOwn: fc.boolean() }), { minLength: 1, maxLength: 8 })
  .chain((entries) =>
    fc
      .shuffledSubarray(
        entries.map((_, index) => index),
        { minLength: entries.length }
      )
      .map((times) =>
        entries.map(({ write, ...rest }, index) => ({ ...rest, entry: groceryEntry(write, 1 + times[index]!) }))
      )
  )

const decode = Schema.decodeUnknownSync(Groceries.events.grocery!.payloadSchemaBinary)

/** A device's row, after it applied entries in this order by effect's own handler. */
const rowAfter = (entries: ReadonlyArray<Entry>): unknown => {
  const rows = new Map<string, typeof Grocery.schema.Type>()
  const handler = EventRow.handler(Grocery, {
    set: (row) => Effect.sync(() => rows.set(row.id, row)),
    patch: (id, fields) =>
      Effect.sync(() => {
        const row = rows.get(id)
        if (row !== undefined) rows.set(id, { ...row, ...fields })
      }),
    remove: (id) => Effect.sync(() => rows.delete(id))
  })
  const applied: Array<Entry> = []
  for (const entry of entries) {
    if (applied.includes(entry)) continue
    const conflicts = applied
      .filter(({ id }) => EventJournal.EntryIdOrder(id, entry.id) > 0)
      .sort(EventJournal.Entry.Order)
      .map((entry) => ({ entry, payload: decode(entry.payload) }))
    Effect.runSync(handler({ storeId: StoreId.make("s"), payload: decode(entry.payload), entry, conflicts }))
    applied.push(entry)
  }
  return rows.get("x")
}

describe("EventRow.compaction as the server's", () => {
  it("leaves a device with the same row, whatever it holds already and in whatever order it got that", () => {
    const [compaction] = Effect.runSync(Effect.scoped(registeredBy(EventRow.compaction(Groceries, Grocery))))
    const compactor = asCompactor(compaction!, 0)
    const compact = (entries: ReadonlyArray<Entry>) => {
      const exit = Effect.runSyncExit(
        runCompactor({ compactor, entries, storeId: OurStoreId.make("s"), timeout: Duration.seconds(30) })
      )
      if (Exit.isFailure(exit)) throw exit.cause
      return exit.value
    }
    fc.assert(
      fc.property(history, (entries) => {
        const feed = entries.filter(({ isOwn }) => !isOwn).map(({ entry }) => entry)
        const held = entries.filter(({ holds, isOwn }) => holds || isOwn).map(({ entry }) => entry)
        fc.pre(feed.length > 0)
        expect(rowAfter([...held, ...compact(feed)])).toEqual(rowAfter([...held, ...feed]))
      }),
      { numRuns: scaled(2_000, 50_000) }
    )
  })
})

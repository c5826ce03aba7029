import { Effect, Schema } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { checkPageLayout, encodeRemoteEntries } from "../../../src/protocols/rpc/remoteEntries.ts"
import { remoteEntry, runs } from "../../wire/arbitraries.ts"

const { ChangesRpc } = EventLogMessage
const encodeByEffect = Schema.encodeUnknownSync(ChangesRpc.UnencryptedFromSchemaBinary)

/** Some entries have names that stood in others, as those of a real feed have. */
const page = fc
  .tuple(
    fc.array(remoteEntry, { minLength: 1, maxLength: 5 }),
    fc.infiniteStream(fc.tuple(fc.boolean(), fc.constantFrom("TodoAdded", "", "ünï€"), fc.constantFrom("a", "bß", "")))
  )
  .map(([page, names]) =>
    page.map(({ entry, remoteSequence }) => {
      const [isRepeated, event, primaryKey] = names.next().value
      const named = isRepeated ? new EventJournal.Entry({ ...entry, event, primaryKey }) : entry
      return new EventJournal.RemoteEntry({ remoteSequence, entry: named })
    })
  )

const toFeed = ({ entry, remoteSequence }: EventJournal.RemoteEntry) => ({
  entry,
  remoteSequence,
  author: null,
  transportOnly: false
})

describe("a page for effect's client", () => {
  it("has the bytes that effect makes of its entries", () => {
    fc.assert(
      fc.property(page, (page) => {
        // Not `toEqual`, whose report takes long for thousands of bytes.
        expect(Buffer.compare(encodeRemoteEntries(page.map(toFeed)), encodeByEffect(page))).toBe(0)
      }),
      // To make a page smaller that differs takes minutes.
      { ...runs(500), endOnFailure: true }
    )
  })

  it("may have many entries, and big ones", () => {
    const [one] = fc.sample(remoteEntry, { numRuns: 1, seed: 1 })
    const big = new EventJournal.Entry({ ...one!.entry, payload: new Uint8Array(100_000) })
    const page = Array.from(
      { length: 300 },
      (_, remoteSequence) =>
        new EventJournal.RemoteEntry({ remoteSequence, entry: remoteSequence === 200 ? big : one!.entry })
    )
    expect(Buffer.compare(encodeRemoteEntries(page.map(toFeed)), encodeByEffect(page))).toBe(0)
  })

  it("is read by effect as what it was", () => {
    fc.assert(
      fc.property(page, (page) => {
        const read = Effect.runSync(ChangesRpc.decodeUnencrypted(encodeRemoteEntries(page.map(toFeed))))
        expect(read.map(toFeed)).toEqual(page.map(toFeed))
      }),
      { ...runs(100), endOnFailure: true }
    )
  })

  it.each<readonly [string, (page: ReadonlyArray<EventJournal.RemoteEntry>) => Uint8Array]>([
    ["in another order", (page) => encodeByEffect(page.toReversed())],
    ["without the last byte", (page) => encodeByEffect(page).slice(0, -1)]
  ])("is noticed before anything is served where effect lays it out %s", (_, other) => {
    expect(() => checkPageLayout()).not.toThrow()
    expect(() => checkPageLayout(other)).toThrow("Install effect 4.1")
  })
})

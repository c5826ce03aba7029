import { type EntryFields, makeEntry } from "@eventlog-server/testkit/schema"
import type { EventJournal } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import { checkEntries, isReplacement } from "../../src/ingest/checkEntries.ts"
import { defaultLimits, type Limits } from "../../src/wire/limits.ts"

const now = Date.UTC(2026, 0, 1)
const hour = 60 * 60 * 1000

const entry = (fields: EntryFields = {}, msecs = now): EventJournal.Entry =>
  makeEntry({ msecs, event: "Added", primaryKey: "a", payload: 10, ...fields })

const withId = (change: (id: Uint8Array) => Uint8Array): EventJournal.Entry => {
  const made = entry()
  return makeEntry({ ...made, id: change(Uint8Array.from(made.id)) as EventJournal.EntryId })
}

const withByte = (at: number, byte: number) =>
  withId((id) => {
    id[at] = byte
    return id
  })

const check = (entries: ReadonlyArray<EventJournal.Entry>, limits: Partial<Limits> = {}) =>
  checkEntries(entries, { ...defaultLimits, ...limits }, now)

describe("checkEntries", () => {
  it.each([
    ["an ordinary entry", entry()],
    ["an id from 1970", entry({}, 0)],
    ["an id as far ahead as the skew allows", entry({}, now + 24 * hour)],
    ["a replacement", withByte(6, 0x80)],
    ["an empty primary key and payload", entry({ primaryKey: "", payload: new Uint8Array(0) })],
    ["names beyond ASCII", entry({ event: "Hinzugefügt 🎉", primaryKey: "ключ" })],
    ["an event name of 255 bytes", entry({ event: `${"ä".repeat(127)}a` })],
    ["a primary key of 4,096 bytes", entry({ primaryKey: "a".repeat(4_096) })]
  ])("lets %s pass", (_, good) => {
    expect(check([good])).toBeUndefined()
  })

  it.each([
    ["version 4", withByte(6, 0x4f), "BadEntry"],
    ["version 0", withByte(6, 0x0f), "BadEntry"],
    ["the NCS variant", withByte(8, 0x3f), "BadEntry"],
    ["the Microsoft variant", withByte(8, 0xc0), "BadEntry"],
    ["15 bytes", withId((id) => id.slice(1)), "BadEntry"],
    ["no bytes", withId(() => new Uint8Array(0)), "BadEntry"],
    ["a millisecond more than the skew", entry({}, now + 24 * hour + 1), "ClockSkew"],
    ["the end of time", withId((id) => id.fill(0xff, 0, 6)), "ClockSkew"],
    ["no event name", entry({ event: "" }), "BadEntry"],
    ["U+0000 in the event name", entry({ event: "a\u0000" }), "BadEntry"],
    ["U+0000 in the primary key", entry({ primaryKey: "\u0000a" }), "BadEntry"],
    ["a lone high surrogate", entry({ primaryKey: "\ud800" }), "BadEntry"],
    ["a lone low surrogate", entry({ event: "\udc00" }), "BadEntry"],
    ["an event name of 256 bytes", entry({ event: "ä".repeat(128) }), "Limit"],
    ["a primary key of 4,098 bytes", entry({ primaryKey: "ä".repeat(2_049) }), "Limit"],
    ["a payload that is too big", entry({ payload: new Uint8Array(4 * 1024 * 1024) }), "Limit"]
  ])("refuses %s", (_, bad, reason) => {
    expect(check([entry(), bad])).toMatchObject({ _tag: "RequestError", reason, entryIds: [bad.id] })
  })

  it("weighs payload, event name and primary key together", () => {
    const heavy = entry({ event: "12345", primaryKey: "123", payload: new Uint8Array(12) })
    expect(check([heavy], { maxEntryBytes: 20 })).toBeUndefined()
    expect(check([heavy], { maxEntryBytes: 19 })).toMatchObject({ reason: "Limit" })
  })

  it("bounds the entries of a batch", () => {
    const batch = Array.from({ length: 3 }, () => entry())
    expect(check(batch, { maxBatchEntries: 3 })).toBeUndefined()
    const refused = check(batch, { maxBatchEntries: 2 })
    expect([refused?.reason, refused?.entryIds]).toEqual(["Limit", undefined])
  })

  it("names all culprits of the first reason, and no others", () => {
    const [early, later] = [entry({ event: "" }), entry({ primaryKey: "\u0000" })]
    const skewed = entry({}, now + 25 * hour)
    expect(check([entry(), early, skewed, entry(), later])).toMatchObject({
      reason: "BadEntry",
      entryIds: [early.id, later.id]
    })
    expect(check([skewed, early])).toMatchObject({ reason: "ClockSkew", entryIds: [skewed.id] })
  })
})

it("knows a replacement by its version", () => {
  expect(isReplacement(withByte(6, 0x8f))).toBe(true)
  expect(isReplacement(entry())).toBe(false)
})

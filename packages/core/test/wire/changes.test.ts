import { Result } from "effect"
import { EventJournal } from "effect/eventlog"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  changesMessage,
  changesPrefix,
  decodeResponseUnencrypted,
  encodeRemoteEntries,
  encodeResponseUnencrypted
} from "../../src/wire/index.ts"
import { remoteEntry, responses, runs } from "./arbitraries.ts"

const one = new EventJournal.RemoteEntry({
  remoteSequence: 300,
  entry: new EventJournal.Entry({
    id: new Uint8Array(16).fill(1) as EventJournal.EntryId,
    event: "TodoAdded",
    primaryKey: "t1",
    payload: Uint8Array.of(1, 2, 3)
  })
})

describe("Changes put together from entries that were encoded once", () => {
  it("are the bytes of Changes encoded whole", () => {
    fc.assert(
      fc.property(responses.Changes, (changes) => {
        const message = changesMessage(changesPrefix(changes), encodeRemoteEntries(changes.entries), 0)
        expect(message).toStrictEqual(encodeResponseUnencrypted(changes))
      }),
      runs(100)
    )
  })

  it.each([0, 1, 15, 16, 17, 255, 256, 65_535, 65_536])("are so for %i entries", (count) => {
    const entries = Array(count).fill(one)
    const message = changesMessage(changesPrefix({ publicKey: "device-1", id: 3 }), encodeRemoteEntries(entries), 0)
    const whole = encodeResponseUnencrypted({ _tag: "Changes", publicKey: "device-1", id: 3, entries })
    expect(Buffer.compare(message, whole)).toBe(0)
  })

  it.each([0, 31, 32, 127, 128, 255, 256, 65_535, 65_536])("are so for texts and payloads of %i", (length) => {
    for (const unit of ["a", "é", "€", "😀"]) {
      const entry = new EventJournal.Entry({
        ...one.entry,
        event: unit.repeat(length),
        primaryKey: `${"a".repeat(length)}${unit}`,
        payload: new Uint8Array(length).fill(7)
      })
      const entries = [new EventJournal.RemoteEntry({ remoteSequence: length, entry }), one]
      const message = changesMessage(changesPrefix({ publicKey: "device-1" }), encodeRemoteEntries(entries), 0)
      const whole = encodeResponseUnencrypted({ _tag: "Changes", publicKey: "device-1", entries })
      expect(Buffer.compare(message, whole)).toBe(0)
    }
  })

  it.each([2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER])("are so for the sequence %i", (remoteSequence) => {
    const entries = [new EventJournal.RemoteEntry({ remoteSequence, entry: one.entry })]
    const message = changesMessage(changesPrefix({ publicKey: "device-1" }), encodeRemoteEntries(entries), 0)
    expect(message).toStrictEqual(encodeResponseUnencrypted({ _tag: "Changes", publicKey: "device-1", entries }))
  })

  it("are each their own, whatever is encoded meanwhile", () => {
    const subscriber = fc.record({ publicKey: fc.string({ maxLength: 300 }), from: fc.nat(2) })
    fc.assert(
      fc.property(
        fc.array(remoteEntry, { maxLength: 5 }),
        fc.array(subscriber, { minLength: 2, maxLength: 4 }),
        (entries, subscribers) => {
          const encoded = encodeRemoteEntries(entries)
          // What is encoded next takes the same room.
          encodeRemoteEntries([one, one])
          const messages = subscribers.map(({ from, publicKey }) =>
            changesMessage(changesPrefix({ publicKey }), encoded, Math.min(from, entries.length))
          )
          for (const [index, { from, publicKey }] of subscribers.entries()) {
            const whole = encodeResponseUnencrypted({ _tag: "Changes", publicKey, entries: entries.slice(from) })
            expect(Buffer.compare(messages[index]!, whole)).toBe(0)
          }
        }
      ),
      runs(200)
    )
  })

  it("hold the entries from `from` on, and leave encodings and prefix to others", () => {
    fc.assert(
      fc.property(fc.array(remoteEntry, { maxLength: 20 }), fc.nat(20), (entries, a) => {
        const from = Math.min(a, entries.length)
        const encoded = encodeRemoteEntries(entries)
        const prefix = changesPrefix({ publicKey: "device-1" })
        const before = [encoded.bytes, prefix].map((bytes) => bytes.slice())
        const message = changesMessage(prefix, encoded, from)
        expect(Result.getOrThrow(decodeResponseUnencrypted(message))).toStrictEqual({
          _tag: "Changes",
          publicKey: "device-1",
          entries: entries.slice(from)
        })
        expect([encoded.bytes, prefix]).toStrictEqual(before)
      }),
      runs(100)
    )
  })

  it("need no more memory than their bytes", () => {
    const { bytes } = encodeRemoteEntries([one, one])
    expect(bytes.buffer.byteLength).toBe(bytes.length)
  })

  it("have no id where the subscription has none", () => {
    const without = changesMessage(changesPrefix({ publicKey: "device-1", id: undefined }), encodeRemoteEntries([]), 0)
    expect(without).toStrictEqual(encodeResponseUnencrypted({ _tag: "Changes", publicKey: "device-1", entries: [] }))
  })
})

import { Result } from "effect"
import { EventJournal } from "effect/eventlog"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  changesMessage,
  changesPrefix,
  decodeResponseUnencrypted,
  encodeRemoteEntry,
  encodeResponseUnencrypted
} from "../../src/protocol/index.ts"
import { remoteEntry, responses, runs } from "./arbitraries.ts"

const encodeSlices = (entries: ReadonlyArray<EventJournal.RemoteEntry>) =>
  entries.map(({ entry, remoteSequence }) => encodeRemoteEntry(remoteSequence, entry))

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
        const message = changesMessage(changesPrefix(changes), encodeSlices(changes.entries), 0, changes.entries.length)
        expect(message).toStrictEqual(encodeResponseUnencrypted(changes))
      }),
      runs(100)
    )
  })

  it.each([0, 1, 15, 16, 17, 255, 256, 65_535, 65_536])("are so for %i entries", (count) => {
    const entries = Array(count).fill(one)
    const slices = Array(count).fill(encodeRemoteEntry(one.remoteSequence, one.entry))
    const message = changesMessage(changesPrefix({ publicKey: "device-1", id: 3 }), slices, 0, count)
    const whole = encodeResponseUnencrypted({ _tag: "Changes", publicKey: "device-1", id: 3, entries })
    expect(Buffer.compare(message, whole)).toBe(0)
  })

  it("hold the entries from `from` up to `to`, and leave slices and prefix to others", () => {
    fc.assert(
      fc.property(fc.array(remoteEntry, { maxLength: 20 }), fc.nat(20), fc.nat(20), (entries, a, b) => {
        const [from, to] = [Math.min(a, b, entries.length), Math.min(Math.max(a, b), entries.length)]
        const slices = encodeSlices(entries)
        const prefix = changesPrefix({ publicKey: "device-1" })
        const before = [...slices, prefix].map((bytes) => bytes.slice())
        const message = changesMessage(prefix, slices, from, to)
        expect(Result.getOrThrow(decodeResponseUnencrypted(message))).toStrictEqual({
          _tag: "Changes",
          publicKey: "device-1",
          entries: entries.slice(from, to)
        })
        expect([...slices, prefix]).toStrictEqual(before)
      }),
      runs(100)
    )
  })

  it("need no more memory for an entry than its bytes", () => {
    const slice = encodeRemoteEntry(one.remoteSequence, one.entry)
    expect(slice.buffer.byteLength).toBe(slice.length)
  })

  it("have no id where the subscription has none", () => {
    const without = changesMessage(changesPrefix({ publicKey: "device-1", id: undefined }), [], 0, 0)
    expect(without).toStrictEqual(encodeResponseUnencrypted({ _tag: "Changes", publicKey: "device-1", entries: [] }))
  })
})

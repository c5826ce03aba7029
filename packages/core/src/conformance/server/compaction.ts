import { Effect } from "effect"
import { expect } from "vitest"
import { groupCompaction, keepLast } from "../../index.ts"
import { freshStoreId } from "../fixtures.ts"
import type { Node } from "../harness.ts"
import type { Topic } from "../suite.ts"
import { makeNote, type NoteFields, Notes } from "./notes.ts"
import { type Setup, startServer } from "./server.ts"
import { idsOf, openDevice } from "./situation.ts"

/** Compacts both events as one group. */
const keepingLast = (olderThan: "1 hour" | "5 hours"): Setup => ({
  compaction: [groupCompaction(Notes, { olderThan }, keepLast())]
})

/** Puts an event of its own in place of those of a note. */
const merging: Setup = {
  compaction: [
    groupCompaction(Notes, { olderThan: "1 hour" }, ({ primaryKey, write }) =>
      write("NoteWritten", { note: primaryKey, text: "merged" })
    )
  ]
}

/** A store with entries, and what a new device of it is sent by a server, from a sequence on. */
const makeStore = Effect.fnUntraced(function* ({ feeds }: Node, fields: ReadonlyArray<NoteFields>) {
  const storeId = freshStoreId()
  const entries = fields.map(makeNote)
  yield* feeds.append(
    storeId,
    entries.map((entry) => ({ entry, author: null, transportOnly: false }))
  )
  return {
    ids: entries.map((entry) => entry.idString),
    sentBy: Effect.fnUntraced(function* (node: Node, setup: Setup, from = 0) {
      const server = yield* startServer(node, setup)
      const device = yield* openDevice({ here: server, there: server, storeId }, server)
      yield* device.subscribe(from)
      yield* device.next("CaughtUp")
      return device.delivered
    })
  }
})

const sequencesOf = (entries: ReadonlyArray<{ readonly remoteSequence: number }>) =>
  entries.map(({ remoteSequence }) => remoteSequence)

export const compaction: Topic = (check) => {
  check("gives a device the same on every node", ({ node, peer }) =>
    Effect.gen(function* () {
      const store = yield* makeStore(node, [
        { note: "a", hoursAgo: 9 },
        { note: "b", hoursAgo: 8 },
        { note: "a", hoursAgo: 7 },
        { note: "b", hoursAgo: 6 },
        { note: "a" }
      ])
      const sent = yield* store.sentBy(node, merging)
      expect(sequencesOf(sent)).toEqual([3, 4, 5])
      const again = yield* store.sentBy(peer, merging)
      expect(sequencesOf(again)).toEqual([3, 4, 5])
      expect(idsOf(again)).toEqual(idsOf(sent))
    })
  )

  check("never lowers a cut-off, whichever node asks for an older one", ({ node, peer }) =>
    Effect.gen(function* () {
      const store = yield* makeStore(node, [
        { note: "a", hoursAgo: 6 },
        { note: "b", hoursAgo: 4 },
        { note: "a", hoursAgo: 3 },
        { note: "b", hoursAgo: 2 }
      ])
      const late = keepingLast("5 hours")
      const early = keepingLast("1 hour")
      expect(sequencesOf(yield* store.sentBy(peer, late))).toEqual([1, 2, 3, 4])
      expect(sequencesOf(yield* store.sentBy(node, early))).toEqual([3, 4])
      expect(sequencesOf(yield* store.sentBy(peer, late))).toEqual([3, 4])
    })
  )

  check("owes a device what another node promised it at a higher sequence", ({ node, peer }) =>
    Effect.gen(function* () {
      const store = yield* makeStore(node, [
        { note: "a", hoursAgo: 9 },
        { note: "b", hoursAgo: 8 },
        { note: "a", hoursAgo: 7 },
        { note: "b", hoursAgo: 6 }
      ])
      const [first] = yield* store.sentBy(node, keepingLast("1 hour"))
      expect(first?.remoteSequence).toBe(3)
      // A device that was cut here goes on at a node that compacts nothing.
      const rest = yield* store.sentBy(peer, {}, 4)
      expect(idsOf(rest)).toEqual([store.ids[1], store.ids[3]])
      expect(sequencesOf(rest)).toEqual([4, 4])
    })
  )

  check("keeps the groups that events joined first, whatever later nodes compact", ({ node, peer }) =>
    Effect.gen(function* () {
      const store = yield* makeStore(node, [
        { event: "NoteWritten", note: "a", hoursAgo: 9 },
        { event: "NoteTagged", note: "a", hoursAgo: 8 },
        { event: "NoteWritten", note: "a", hoursAgo: 7 }
      ])
      expect(sequencesOf(yield* store.sentBy(node, keepingLast("1 hour")))).toEqual([3, 3])
      // A device that was cut off before the bucket's end was spared what lies before.
      const sent = yield* store.sentBy(peer, {}, 2)
      expect(idsOf(sent)).toEqual(store.ids)
      expect(sequencesOf(sent)).toEqual([3, 3, 3])
      // One that begins was promised nothing.
      const fromTheStart = yield* store.sentBy(peer, {})
      expect(idsOf(fromTheStart)).toEqual(store.ids)
      expect(sequencesOf(fromTheStart)).toEqual([1, 2, 3])
    })
  )
}

import { Effect } from "effect"
import { expect } from "vitest"
import type { FeedStore, Sieve } from "../../backend/FeedStore.ts"
import type { StoreId } from "../../backend/StoreId.ts"
import { freshStoreId, makeRecords, range, sequencesOf } from "../fixtures.ts"
import type { Topic } from "../suite.ts"

/** Reads on as a reader with a sieve does; answers the sequences that it was handed. */
const readOn = Effect.fnUntraced(function* (feeds: FeedStore["Service"], storeId: StoreId, sieve: Sieve) {
  const found: Array<number> = []
  for (let next = 1, head = 1; next <= head; ) {
    const page = yield* feeds.read(storeId, next, { maxEntries: 3, maxBytes: 1_000_000 }, sieve)
    const sequences = sequencesOf(page.entries)
    const last = page.through ?? sequences.at(-1) ?? 0
    expect(page.entries.length).toBeLessThanOrEqual(3)
    expect(sequences).toEqual(sequences.filter((sequence) => sequence >= next && sequence <= last))
    // A page that moves nobody on would keep its reader for ever.
    expect(last).toBeGreaterThanOrEqual(next)
    found.push(...sequences)
    head = page.head
    next = last + 1
  }
  return found
})

const keeps: Readonly<Record<string, (sequence: number) => boolean>> = {
  everything: () => true,
  nothing: () => false,
  "the end": (sequence) => sequence > 15,
  "the beginning": (sequence) => sequence < 5,
  "every seventh": (sequence) => sequence % 7 === 0
}

export const sieve: Topic = (check) => {
  for (const [what, isKept] of Object.entries(keeps)) {
    check(`hands over all that a sieve keeps, in order, when that is ${what}`, ({ node }) =>
      Effect.gen(function* () {
        const storeId = freshStoreId()
        yield* node.feeds.append(storeId, makeRecords(20))
        const found = yield* readOn(node.feeds, storeId, ({ remoteSequence }) => isKept(remoteSequence))
        expect(found.filter(isKept)).toEqual(range(1, 20).filter(isKept))
        expect(found).toEqual(found.toSorted((a, b) => a - b))
      })
    )
  }
}

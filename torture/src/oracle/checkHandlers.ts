import type { Check, Evidence, Of, StoredEntry, Violation } from "./history.ts"
import { allOf, feedOf } from "./select.ts"

type Handled = Of<"handled">

/** What is known of a store's handlers while its log is read. */
interface Progress {
  /** The entries that handlers must run for, in order, and the place of each id among them. */
  readonly entries: ReadonlyArray<StoredEntry>
  readonly places: ReadonlyMap<string, number>
  /** How many entries were handled at least once. */
  reached: number
  /** When each place was last handled. */
  readonly handledAt: Map<number, number>
}

const progressOf = (evidence: Evidence, store: string): Progress => {
  const entries = feedOf(evidence, store).filter(
    ({ entry, transportOnly }) => !transportOnly && evidence.rules.handledEvents.has(entry.event)
  )
  const places = new Map(entries.map(({ entry }, place) => [entry.id, place]))
  return { entries, places, reached: 0, handledAt: new Map() }
}

/**
 * What is wrong with the place of a handler's run. It may go on behind what was reached, and begin again at or before
 * that only if a fault came after the last time, or so shortly before it that the server did not know yet.
 *
 * @param excusedUntil up to when handled entries may be handled again
 */
const orderFlaw = (
  { entries, handledAt, reached }: Progress,
  place: number,
  excusedUntil: number
): string | undefined => {
  if (place > reached) return `was handled before entry ${entries[reached]?.sequence}`
  if (place === reached || (handledAt.get(place) ?? 0) <= excusedUntil) return undefined
  return "was handled again, though nothing had crashed since"
}

/** The replayable entries of the same event and key with a lower sequence and a greater id, in id order. */
const expectedConflicts = ({ entries }: Progress, place: number, most: number): ReadonlyArray<string> => {
  const { entry } = entries[place]!
  return entries
    .slice(0, place)
    .map((earlier) => earlier.entry)
    .filter(({ event, id, primaryKey }) => event === entry.event && primaryKey === entry.primaryKey && id > entry.id)
    .map(({ id }) => id)
    .sort()
    .slice(-most)
}

const conflictFlaw = (
  progress: Progress,
  { conflicts }: Handled,
  place: number,
  maxConflicts: number
): string | undefined => {
  const expected = expectedConflicts(progress, place, maxConflicts)
  return expected.join() === conflicts.join()
    ? undefined
    : `was handled with the conflicts ${conflicts.join(" ")} instead of ${expected.join(" ")}`
}

/** Handlers run for each entry in sequence order; again only when a server crashed or lost its lease since. */
export const checkHandlers: Check = (evidence) => {
  const violations: Array<Violation> = []
  const stores = new Map<string, Progress>()
  let excusedUntil = evidence.rules.rollsBack ? Number.POSITIVE_INFINITY : -1
  for (const happening of evidence.history) {
    if (happening.kind === "fault" && happening.excuses)
      excusedUntil = Math.max(excusedUntil, happening.at + evidence.rules.excuseMillis)
    if (happening.kind !== "handled") continue
    const { id, run, store } = happening
    const progress = stores.get(store) ?? progressOf(evidence, store)
    stores.set(store, progress)
    const place = progress.places.get(id)
    const flaw =
      place === undefined
        ? "was handled but is not in its store, or not for handlers"
        : (orderFlaw(progress, place, excusedUntil) ??
          conflictFlaw(progress, happening, place, evidence.rules.maxConflicts))
    if (flaw !== undefined) {
      violations.push({ rule: "handlers", message: `Entry ${id} of store ${store} ${flaw}`, about: [id, run] })
    }
    if (place === undefined) continue
    progress.handledAt.set(place, happening.at)
    progress.reached = Math.max(progress.reached, place + 1)
  }
  return [...violations, ...unhandled(evidence, stores)]
}

/** When everything has come to rest, every entry was handled. */
const unhandled = (evidence: Evidence, stores: ReadonlyMap<string, Progress>): ReadonlyArray<Violation> =>
  Array.from(evidence.outcome.feeds.keys()).flatMap((store) => {
    const { entries, reached } = stores.get(store) ?? progressOf(evidence, store)
    const next = entries[reached]
    if (next === undefined) return []
    const message = `Entry ${next.sequence} of store ${store} was never handled`
    return [{ rule: "handlers", message, about: [next.entry.id] }]
  })

/** Entries whose handler was taken for failed since it ran out of time, which a busy machine or a frozen one can do to it. */
const timedOut = (evidence: Evidence): ReadonlySet<string> =>
  new Set(allOf(evidence, "failed").flatMap(({ id, reason }) => (reason === "TimedOut" ? [id] : [])))

/** No handler is taken for failed that doesn't fail by itself: an outage is waited for. */
export const checkFailures: Check = (evidence) => {
  const late = timedOut(evidence)
  const events = new Map(
    Array.from(evidence.outcome.feeds.values()).flatMap((feed) =>
      feed.map(({ entry }) => [entry.id, entry.event] as const)
    )
  )
  return allOf(evidence, "failed")
    .filter(({ id }) => !late.has(id) && !evidence.rules.failingEvents.has(events.get(id) ?? ""))
    .map(({ id, reason, run, store, why }) => ({
      rule: "handlers",
      message: `The handler of entry ${id} of store ${store} was taken for failed (${reason}): ${why}`,
      about: [id, run]
    }))
}

/**
 * A projection that shares the cursor's transaction holds each entry once, in order, as if replayed. Nothing of a handler
 * that failed is in it.
 */
export const checkProjections: Check = (evidence) => {
  const { failingEvents } = evidence.rules
  const late = timedOut(evidence)
  return Array.from(evidence.outcome.projections).flatMap(([store, ids]) => {
    const projected = ids.filter((id) => !late.has(id))
    const expected = progressOf(evidence, store).entries.flatMap(({ entry }) =>
      failingEvents.has(entry.event) || late.has(entry.id) ? [] : [entry.id]
    )
    const length = Math.max(projected.length, expected.length)
    const place = Array.from({ length }).findIndex((_, index) => projected[index] !== expected[index])
    if (place === -1) return []
    const message = `The projection of store ${store} has ${projected[place]} where a replay has ${expected[place]}`
    return [
      { rule: "projections", message, about: [projected[place], expected[place]].filter((id) => id !== undefined) }
    ]
  })
}

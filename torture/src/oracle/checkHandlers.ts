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
  /** See `unsteadyOf`. */
  readonly unsteady: ReadonlySet<string>
}

/** Entries whose handlers failed, or that somebody wanted tried again: others go before them, and they may run again. */
const unsteadyOf = (evidence: Evidence): ReadonlySet<string> =>
  new Set([...allOf(evidence, "flunked"), ...allOf(evidence, "retried")].map(({ id }) => id))

/** Entries that need not have been handled: they are kept as failures, or somebody wanted them forgotten. */
const excusedOf = (evidence: Evidence): ReadonlySet<string> =>
  new Set([
    ...allOf(evidence, "discarded").map(({ id }) => id),
    ...Array.from(evidence.outcome.failures.values()).flat()
  ])

const progressOf = (evidence: Evidence, store: string): Progress => {
  const entries = feedOf(evidence, store).filter(
    ({ entry, transportOnly }) => !transportOnly && evidence.rules.handledEvents.has(entry.event)
  )
  const places = new Map(entries.map(({ entry }, place) => [entry.id, place]))
  return { entries, places, reached: 0, handledAt: new Map(), unsteady: unsteadyOf(evidence) }
}

/**
 * What is wrong with the place of a handler's run. It may go on behind what was reached, and begin again at or before
 * that only if a fault came after the last time, or so shortly before it that the server did not know yet; or if its handler
 * failed, which others go on behind.
 *
 * @param excusedUntil up to when handled entries may be handled again
 */
const orderFlaw = (
  { entries, handledAt, reached, unsteady }: Progress,
  place: number,
  excusedUntil: number
): string | undefined => {
  const skipped = entries.slice(reached, place).find(({ entry }) => !unsteady.has(entry.id))
  if (skipped !== undefined) return `was handled before entry ${skipped.sequence}`
  if (
    place >= reached ||
    unsteady.has(entries[place]!.entry.id) ||
    (handledAt.get(place) ?? Number.NEGATIVE_INFINITY) <= excusedUntil
  )
    return undefined
  return "was handled again, though nothing had crashed since"
}

/** Entries of the same event and key with a lower sequence than that of a place, and a greater id, in id order. */
const greaterBelow = ({ entries }: Progress, place: number, end: number): ReadonlyArray<string> => {
  const { entry } = entries[place]!
  return entries
    .slice(0, end)
    .map((earlier) => earlier.entry)
    .filter(({ event, id, primaryKey }) => event === entry.event && primaryKey === entry.primaryKey && id > entry.id)
    .map(({ id }) => id)
    .sort()
}

const conflictFlaw = (
  progress: Progress,
  { conflicts }: Handled,
  place: number,
  maxConflicts: number
): string | undefined => {
  const expected = greaterBelow(progress, place, place).slice(-maxConflicts)
  if (progress.unsteady.has(progress.entries[place]!.entry.id)) {
    return laterConflictFlaw(progress, conflicts, place, maxConflicts)
  }
  return expected.join() === conflicts.join()
    ? undefined
    : `was handled with the conflicts ${conflicts.join(" ")} instead of ${expected.join(" ")}`
}

/** An entry that is tried again conflicts with what was handled since, too; how far that is, its store alone knows. */
const laterConflictFlaw = (
  progress: Progress,
  conflicts: ReadonlyArray<string>,
  place: number,
  maxConflicts: number
): string | undefined => {
  const all = new Set(greaterBelow(progress, place, progress.entries.length))
  const strange = conflicts.filter((id) => !all.has(id))
  const missing = greaterBelow(progress, place, place).filter((id) => !conflicts.includes(id))
  if (strange.length === 0 && (missing.length === 0 || conflicts.length >= maxConflicts)) return undefined
  return `was tried again with the conflicts ${conflicts.join(" ")}, of which ${strange.join(" ")} are none; without ${missing.join(" ")}`
}

/** What is wrong with a handler's run, if anything. */
const runFlaw = (
  evidence: Evidence,
  progress: Progress,
  handled: Handled,
  excusedUntil: number
): string | undefined => {
  const place = progress.places.get(handled.id)
  if (place === undefined) return "was handled but is not in its store, or not for handlers"
  const flaw =
    orderFlaw(progress, place, excusedUntil) ?? conflictFlaw(progress, handled, place, evidence.rules.maxConflicts)
  progress.handledAt.set(place, handled.at)
  progress.reached = Math.max(progress.reached, place + 1)
  return flaw
}

/** Handlers run for each entry in sequence order; again only when a server crashed or lost its lease since, or for a reset. */
export const checkHandlers: Check = (evidence) => {
  const violations: Array<Violation> = []
  const stores = new Map<string, Progress>()
  let excusedUntil = evidence.rules.rollsBack ? Number.POSITIVE_INFINITY : -1
  for (const happening of evidence.history) {
    if (happening.kind === "fault" && happening.excuses)
      excusedUntil = Math.max(excusedUntil, happening.at + evidence.rules.excuseMillis)
    if (happening.kind === "reset") stores.get(happening.store)?.handledAt.clear()
    if (happening.kind !== "handled") continue
    const { id, run, store } = happening
    const progress = stores.get(store) ?? progressOf(evidence, store)
    stores.set(store, progress)
    const flaw = runFlaw(evidence, progress, happening, excusedUntil)
    if (flaw === undefined) continue
    violations.push({ rule: "handlers", message: `Entry ${id} of store ${store} ${flaw}`, about: [id, run] })
  }
  return [...violations, ...unhandled(evidence, stores)]
}

/** When everything has come to rest, every entry was handled, or is kept as a failure, or was discarded by name. */
const unhandled = (evidence: Evidence, stores: ReadonlyMap<string, Progress>): ReadonlyArray<Violation> => {
  const excused = excusedOf(evidence)
  return Array.from(evidence.outcome.feeds.keys()).flatMap((store) => {
    const { entries, handledAt } = stores.get(store) ?? progressOf(evidence, store)
    const lost = entries.find(({ entry }, place) => !handledAt.has(place) && !excused.has(entry.id))
    if (lost === undefined) return []
    const message = `Entry ${lost.sequence} of store ${store} was never handled, and isn't kept as a failure`
    return [{ rule: "handlers", message, about: [lost.entry.id] }]
  })
}

/** Entries whose handler was taken for failed since it ran out of time, which a busy machine or a frozen one can do to it. */
const timedOut = (evidence: Evidence): ReadonlySet<string> =>
  new Set(allOf(evidence, "failed").flatMap(({ id, reason }) => (reason === "TimedOut" ? [id] : [])))

/** The event of each entry. */
const eventsOf = ({ outcome }: Evidence): ReadonlyMap<string, string> =>
  new Map(
    Array.from(outcome.feeds.values()).flatMap((feed) => feed.map(({ entry }) => [entry.id, entry.event] as const))
  )

/** No handler is taken for failed that doesn't fail by itself: an outage is waited for. */
export const checkFailures: Check = (evidence) => {
  const late = timedOut(evidence)
  const flunked = new Set(allOf(evidence, "flunked").map(({ id }) => id))
  const events = eventsOf(evidence)
  return allOf(evidence, "failed")
    .filter(({ id }) => !late.has(id) && !flunked.has(id) && !evidence.rules.failingEvents.has(events.get(id) ?? ""))
    .map(({ id, reason, run, store, why }) => ({
      rule: "handlers",
      message: `The handler of entry ${id} of store ${store} was taken for failed (${reason}): ${why}`,
      about: [id, run]
    }))
}

/** What always fails is kept until it is discarded, and nothing else when all else was tried again. */
export const checkKept: Check = (evidence) => {
  const { failingEvents, handledEvents } = evidence.rules
  const excused = excusedOf(evidence)
  const events = eventsOf(evidence)
  const lost = Array.from(evidence.outcome.feeds).flatMap(([store, feed]) =>
    feed
      .filter(
        ({ entry, transportOnly }) => failingEvents.has(entry.event) && handledEvents.has(entry.event) && !transportOnly
      )
      .filter(({ entry }) => !excused.has(entry.id))
      .map(({ entry }) => ({ id: entry.id, message: `Entry ${entry.id} of store ${store} failed, and isn't kept` }))
  )
  const left = Array.from(evidence.outcome.failures).flatMap(([store, ids]) =>
    ids
      .filter((id) => !failingEvents.has(events.get(id) ?? ""))
      .map((id) => ({ id, message: `Entry ${id} of store ${store} is kept as a failure still` }))
  )
  return [...lost, ...left].map(({ id, message }) => ({ rule: "failures", message, about: [id] }))
}

/**
 * A projection that shares the cursor's transaction holds each entry once, in order, as if replayed; those that were tried again
 * anywhere. Nothing of a handler that failed is in it.
 */
export const checkProjections: Check = (evidence) => {
  const { failingEvents } = evidence.rules
  const late = timedOut(evidence)
  const unsteady = unsteadyOf(evidence)
  const excused = excusedOf(evidence)
  const isSteady = (id: string) => !late.has(id) && !unsteady.has(id)
  return Array.from(evidence.outcome.projections).flatMap(([store, ids]) => {
    const wanted = progressOf(evidence, store).entries.filter(({ entry }) => !failingEvents.has(entry.event))
    const projected = ids.filter(isSteady)
    const expected = wanted.map(({ entry }) => entry.id).filter(isSteady)
    const length = Math.max(projected.length, expected.length)
    const place = Array.from({ length }).findIndex((_, index) => projected[index] !== expected[index])
    if (place !== -1) {
      const message = `The projection of store ${store} has ${projected[place]} where a replay has ${expected[place]}`
      const about = [projected[place], expected[place]].filter((id) => id !== undefined)
      return [{ rule: "projections", message, about }]
    }
    const others = wanted.map(({ entry }) => entry.id).filter((id) => !isSteady(id))
    return others.flatMap((id) => {
      const times = ids.filter((projectedId) => projectedId === id).length
      if (times === (excused.has(id) ? 0 : 1)) return []
      const message = `The projection of store ${store} has entry ${id}, whose handler failed at first, ${times} times`
      return [{ rule: "projections", message, about: [id] }]
    })
  })
}

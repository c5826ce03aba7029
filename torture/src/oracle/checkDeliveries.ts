import type { Check, Evidence, FinalDevice, Of, Placed, StoredEntry, Violation } from "./history.ts"
import { allOf, feedOf, groupBy } from "./select.ts"

const isSame = (a: Placed["entry"], b: Placed["entry"]): boolean =>
  a.id === b.id && a.event === b.event && a.primaryKey === b.primaryKey && a.digest === b.digest

/** What is wrong with an entry that comes when `next` is expected, if anything. */
const placeFlaw = (
  { rules: { compactedEvents } }: Evidence,
  feed: ReadonlyArray<StoredEntry>,
  next: number,
  { entry, sequence }: Placed
): string | undefined => {
  const stored = feed[sequence - 1]
  if (stored === undefined) return `got ${sequence}, which the feed does not have`
  // One that is compacted stands for entries of its event and key up to its sequence, and may repeat the sequence
  // before. Whether it stands for all of them, the final state tells.
  const isCompacted = compactedEvents.has(entry.event)
  if (sequence < (isCompacted ? next - 1 : next)) return `got ${sequence} again, after ${next - 1}`
  if (!isCompacted && !isSame(stored.entry, entry)) {
    return `got entry ${entry.id} at ${sequence}, where ${stored.entry.id} stands`
  }
  const skipped = feed.slice(next - 1, sequence - 1).find((between) => !compactedEvents.has(between.entry.event))
  return skipped === undefined ? undefined : `got ${sequence} without ${skipped.sequence}, after ${next - 1}`
}

/** What is wrong with entries that follow each other from `next` on, if anything; `next` is moved behind them. */
const follow = (
  evidence: Evidence,
  feed: ReadonlyArray<StoredEntry>,
  cursor: { next: number },
  entries: ReadonlyArray<Placed>
): string | undefined => {
  for (const placed of entries) {
    const flaw = placeFlaw(evidence, feed, cursor.next, placed)
    if (flaw !== undefined) return flaw
    cursor.next = Math.max(cursor.next, placed.sequence + 1)
  }
  return undefined
}

const devicesOf = ({ outcome }: Evidence) => new Map(outcome.devices.map((device) => [device.device, device]))

/** Each subscription hands out the feed of its device's store from where it began: in order, without gap or repeat. */
export const checkSubscriptions: Check = (evidence) => {
  const devices = devicesOf(evidence)
  const begun = new Map(allOf(evidence, "subscribed").map((subscribed) => [subscribed.subscription, subscribed]))
  const cursors = new Map<string, { next: number }>()
  const broken = new Set<string>()
  return allOf(evidence, "delivered").flatMap(({ device, entries, subscription }): ReadonlyArray<Violation> => {
    const start = begun.get(subscription)
    if (broken.has(subscription)) return []
    const cursor = cursors.get(subscription) ?? { next: Math.max(1, start?.from ?? 1) }
    cursors.set(subscription, cursor)
    const store = devices.get(device)?.store
    const flaw =
      start === undefined || start.device !== device
        ? "got entries that it did not ask for"
        : follow(evidence, feedOf(evidence, store), cursor, entries)
    if (flaw === undefined) return []
    broken.add(subscription)
    const ids = entries.slice(0, 5).map(({ entry }) => entry.id)
    return [{ rule: "deliveries", message: `${device} of store ${store} ${flaw}`, about: [subscription, ...ids] }]
  })
}

/** What a device put into its journal, over all its connections, is the feed from 1 on, each entry once. */
export const checkJournals: Check = (evidence) => {
  const devices = devicesOf(evidence)
  return Array.from(groupBy(allOf(evidence, "kept"), ({ device }) => device)).flatMap(([device, kept]) => {
    const feed = feedOf(evidence, devices.get(device)?.store)
    const cursor = { next: 1 }
    for (const { entries } of kept) {
      const flaw = follow(evidence, feed, cursor, entries)
      if (flaw === undefined) continue
      const about = [device, ...entries.slice(0, 5).map(({ entry }) => entry.id)]
      return [{ rule: "journals", message: `The journal of ${device} ${flaw}`, about }]
    }
    return []
  })
}

/** What effect's journals and `keepLast` both make of compacted events: the greatest id of each event and key. */
const stateOf = (entries: Iterable<Placed["entry"]>, events: ReadonlySet<string>): ReadonlyMap<string, string> => {
  const greatest = new Map<string, Placed["entry"]>()
  for (const entry of entries) {
    if (!events.has(entry.event)) continue
    const key = JSON.stringify([entry.event, entry.primaryKey])
    const before = greatest.get(key)
    if (before === undefined || before.id < entry.id) greatest.set(key, entry)
  }
  return new Map(Array.from(greatest, ([key, { digest }]) => [key, digest]))
}

const convergenceFlaw = (
  evidence: Evidence,
  { journal, store }: FinalDevice,
  own: ReadonlyArray<Of<"made">>,
  kept: ReadonlyArray<Of<"kept">>
): string | undefined => {
  const { compactedEvents } = evidence.rules
  const feed = feedOf(evidence, store)
  const stored = new Set(feed.map(({ entry }) => entry.id))
  const unsent = own.find(({ entry }) => !stored.has(entry.id))
  if (unsent !== undefined) return `made ${unsent.entry.id}, which never arrived`
  const held = new Set(journal)
  const lacking = feed.find(({ entry }) => !compactedEvents.has(entry.event) && !held.has(entry.id))
  if (lacking !== undefined) return `lacks ${lacking.sequence} in its journal`
  const has = [...own.map(({ entry }) => entry), ...kept.flatMap(({ entries }) => entries.map(({ entry }) => entry))]
  const state = stateOf(has, compactedEvents)
  for (const [key, digest] of stateOf(
    feed.map(({ entry }) => entry),
    compactedEvents
  )) {
    if (state.get(key) !== digest) return `has another state of ${key} than the feed`
  }
  return undefined
}

/** When the faults are over, every device has sent all that it made, and has all that its store holds. */
export const checkConvergence: Check = (evidence) => {
  const made = groupBy(allOf(evidence, "made"), ({ device }) => device)
  const kept = groupBy(allOf(evidence, "kept"), ({ device }) => device)
  return evidence.outcome.devices
    .filter(({ mustConverge }) => mustConverge)
    .flatMap((final) => {
      const { device } = final
      const flaw = convergenceFlaw(evidence, final, made.get(device) ?? [], kept.get(device) ?? [])
      return flaw === undefined ? [] : [{ rule: "convergence", message: `${device} ${flaw}`, about: [device] }]
    })
}

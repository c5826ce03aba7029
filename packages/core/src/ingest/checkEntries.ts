import type { EventJournal } from "effect/eventlog"
import { RequestError } from "../wire/errors.ts"
import { entryBytes, exceedsBytes, isStorable } from "../wire/fields.ts"
import type { Limits } from "../wire/limits.ts"

/** What is wrong with an entry, if anything. */
type Flaw = { readonly reason: "BadEntry" | "Limit" | "ClockSkew"; readonly message: string }

/** Version 8 marks the replacement that a compaction made: it belongs to no feed, and a device need not send it. */
export const isReplacement = (entry: EventJournal.Entry): boolean => entry.id[6]! >> 4 === 8

const idFlaw = (entry: EventJournal.Entry, latestMillis: number): Flaw | undefined => {
  if (entry.id.byteLength !== 16) return { reason: "BadEntry", message: "An entry id must have 16 bytes" }
  const version = entry.id[6]! >> 4
  const variant = entry.id[8]! >> 6
  if ((version !== 7 && version !== 8) || variant !== 2) {
    return { reason: "BadEntry", message: "An entry id must be a UUID version 7" }
  }
  if (entry.createdAtMillis > latestMillis) {
    return { reason: "ClockSkew", message: "An entry id is too far ahead of the server's clock" }
  }
  return undefined
}

const contentFlaw = (entry: EventJournal.Entry, limits: Limits): Flaw | undefined => {
  if (entry.event === "" || !isStorable(entry.event) || !isStorable(entry.primaryKey)) {
    return {
      reason: "BadEntry",
      message: "An event name may not be empty, and neither it nor a primary key may hold U+0000 or a lone surrogate"
    }
  }
  if (exceedsBytes(entry.event, limits.maxEventBytes)) {
    return { reason: "Limit", message: `An event name may have ${limits.maxEventBytes} bytes` }
  }
  if (exceedsBytes(entry.primaryKey, limits.maxPrimaryKeyBytes)) {
    return { reason: "Limit", message: `A primary key may have ${limits.maxPrimaryKeyBytes} bytes` }
  }
  if (entryBytes(entry) > limits.maxEntryBytes) {
    return { reason: "Limit", message: `An entry may have ${limits.maxEntryBytes} bytes` }
  }
  return undefined
}

/**
 * Refuses a batch that holds an entry which no feed may hold, and names the culprits. All culprits share the reason of
 * the first: a device that sets them aside and sends the rest is told about the others then.
 *
 * @param now milliseconds since the epoch; ids may be `maxClockSkewMillis` ahead of it
 */
export const checkEntries = (
  entries: ReadonlyArray<EventJournal.Entry>,
  limits: Limits,
  now: number
): RequestError | undefined => {
  if (entries.length > limits.maxBatchEntries) {
    return new RequestError({ reason: "Limit", message: `A batch may have ${limits.maxBatchEntries} entries` })
  }
  let first: Flaw | undefined
  const entryIds: Array<Uint8Array> = []
  for (const entry of entries) {
    const flaw = idFlaw(entry, now + limits.maxClockSkewMillis) ?? contentFlaw(entry, limits)
    if (flaw === undefined) continue
    first ??= flaw
    if (flaw.reason === first.reason) entryIds.push(entry.id)
  }
  return first && new RequestError({ ...first, entryIds })
}

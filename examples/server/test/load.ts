import { Device } from "@eventlog-server/testkit/devices"
import { todoAdded } from "@eventlog-server/testkit/schema"
import type { EventJournal } from "effect/eventlog"
import { expect } from "vitest"

/** New entries, as a device makes them. @param madeAt in milliseconds since the epoch @default now */
export const makeEntries = (count: number, madeAt?: number): ReadonlyArray<EventJournal.Entry> =>
  Array.from({ length: count }, (_, index) =>
    todoAdded(`${index}`, { text: "Milk", ...(madeAt === undefined ? {} : { msecs: madeAt }) })
  )

/** The sequence of each acknowledged entry, by its id. */
export type Acked = Map<string, number>

const note = (acked: Acked, entries: ReadonlyArray<EventJournal.Entry>, sequences: ReadonlyArray<number>): void => {
  for (const [index, entry] of entries.entries()) acked.set(entry.idString, sequences[index] ?? 0)
}

/** Writes batches one after the other until the server is gone, and notes what it acknowledged. */
export const writeUntilGone = async (url: string, publicKey: string, acked: Acked): Promise<void> => {
  const device = await Device.open(url).catch(() => undefined)
  if (device === undefined) return
  while (true) {
    const entries = makeEntries(3)
    const answer = await device.write(publicKey, entries).catch(() => undefined)
    if (answer === undefined) return
    if (answer._tag === "Ack") note(acked, entries, answer.sequenceNumbers)
  }
}

/**
 * Writes batches one after the other, as a device that waits for each: what is refused for now it sends again.
 *
 * @param next the next batch; `undefined` when there is none
 */
export const writeBatches = async (
  url: string,
  publicKey: string,
  next: () => ReadonlyArray<EventJournal.Entry> | undefined
): Promise<Acked> => {
  const acked: Acked = new Map()
  const device = await Device.open(url)
  for (let entries = next(); entries !== undefined; entries = next()) {
    while (true) {
      const answer = await device.write(publicKey, entries)
      if (answer._tag === "Ack") {
        note(acked, entries, answer.sequenceNumbers)
        break
      }
      expect(answer).toMatchObject({ retryable: true })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  await device.close()
  return acked
}

/** Batches of a number of entries, all in all. */
export const batches = (count: number, size: number) => {
  let left = count
  return () => {
    if (left <= 0) return undefined
    const entries = makeEntries(Math.min(size, left))
    left -= entries.length
    return entries
  }
}

/**
 * Follows a store from its beginning; answers the ids in order. Fails at a gap or a repetition.
 *
 * @param count how many there will be @default those that are there
 */
export const follow = async (url: string, publicKey: string, count?: number): Promise<ReadonlyArray<string>> => {
  const device = await Device.open(url)
  device.send({ _tag: "RequestChanges", publicKey, startSequence: 1 })
  const { head } = await device.next("Subscribed")
  const ids: Array<string> = []
  while (ids.length < (count ?? head)) {
    for (const { entry, remoteSequence } of (await device.next("Changes")).entries) {
      if (remoteSequence !== ids.length + 1) throw new Error(`${remoteSequence} came after ${ids.length}`)
      ids.push(entry.idString)
    }
  }
  await device.close()
  return ids
}

/** Checks that a feed holds every acknowledged entry, in the place that it was acknowledged for. */
export const expectAcked = (ids: ReadonlyArray<string>, acked: Acked): void => {
  const lost = [...acked].filter(([id, sequence]) => ids[sequence - 1] !== id)
  expect(lost).toEqual([])
}

import { Todos } from "@eventlog-server/example-todo/schema"
import { Schema } from "effect"
import { EventJournal } from "effect/eventlog"
import { expect } from "vitest"
import { connectDevice } from "./device.ts"

const encode = Schema.encodeSync(Todos.events.TodoAdded!.payloadSchemaBinary)

/** New entries, as a device makes them. @param madeAt in milliseconds since the epoch @default now */
export const makeEntries = (count: number, madeAt?: number): ReadonlyArray<EventJournal.Entry> =>
  Array.from({ length: count }, (_, index) => {
    const id = String(index)
    const payload = encode({ id, text: "Milk" })
    return new EventJournal.Entry(
      {
        id: EventJournal.makeEntryIdUnsafe(madeAt === undefined ? {} : { msecs: madeAt }),
        event: "TodoAdded",
        primaryKey: id,
        payload
      },
      { disableChecks: true }
    )
  })

/** The sequence of each acknowledged entry, by its id. */
export type Acked = Map<string, number>

const note = (acked: Acked, entries: ReadonlyArray<EventJournal.Entry>, sequences: ReadonlyArray<number>): void => {
  for (const [index, entry] of entries.entries()) acked.set(entry.idString, sequences[index] ?? 0)
}

/** Writes batches one after the other until the server is gone, and notes what it acknowledged. */
export const writeUntilGone = async (url: string, publicKey: string, acked: Acked): Promise<void> => {
  const device = await connectDevice(url).catch(() => undefined)
  if (device === undefined) return
  for (let id = 1; ; id++) {
    const entries = makeEntries(3)
    device.send({ _tag: "WriteEntries", id, publicKey, entries })
    const answer = await device.next("Ack").catch(() => undefined)
    if (answer === undefined) return
    note(acked, entries, answer.sequenceNumbers)
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
  const device = await connectDevice(url)
  await device.next("Hello")
  let id = 0
  for (let entries = next(); entries !== undefined; entries = next()) {
    while (true) {
      device.send({ _tag: "WriteEntries", id: ++id, publicKey, entries })
      const answer = await device.either("Ack", "Error")
      if (answer._tag === "Ack") {
        note(acked, entries, answer.sequenceNumbers)
        break
      }
      expect(answer).toMatchObject({ retryable: true })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  device.close()
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
  const device = await connectDevice(url)
  device.send({ _tag: "RequestChanges", publicKey, startSequence: 1 })
  const { head } = await device.next("Subscribed")
  const ids: Array<string> = []
  while (ids.length < (count ?? head)) {
    for (const { entry, remoteSequence } of (await device.next("Changes")).entries) {
      if (remoteSequence !== ids.length + 1) throw new Error(`${remoteSequence} came after ${ids.length}`)
      ids.push(entry.idString)
    }
  }
  device.close()
  return ids
}

/** Checks that a feed holds every acknowledged entry, in the place that it was acknowledged for. */
export const expectAcked = (ids: ReadonlyArray<string>, acked: Acked): void => {
  const lost = [...acked].filter(([id, sequence]) => ids[sequence - 1] !== id)
  expect(lost).toEqual([])
}

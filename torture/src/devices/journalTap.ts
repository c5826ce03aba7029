import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Recorder } from "../recorder.ts"
import { placedEntry, seenEntry } from "../seen.ts"

type Journal = EventJournal.EventJournal["Service"]

const machineNow = Date.now
let clockOffset = 0
Date.now = () => machineNow() + clockOffset

/**
 * A journal that writes down what is put into it, on a device whose clock is off. Entries get their ids from the clock of
 * the process, which many devices share here, so it is set off for just as long as that takes.
 */
export const tapJournal = (device: string, journal: Journal, offset: number, recorder: Recorder): Journal => ({
  ...journal,
  writeMany: ({ effect, entries }) =>
    Effect.suspend(() => {
      clockOffset = offset
      return journal.writeMany({
        entries,
        effect: (made) =>
          Effect.suspend(() => {
            clockOffset = 0
            return Effect.tap(effect(made), () =>
              Effect.sync(() => {
                for (const entry of made) recorder.record({ kind: "made", device, entry: seenEntry(entry) })
              })
            )
          })
      })
    }),
  writeFromRemote: (options) =>
    Effect.uninterruptible(
      Effect.tap(journal.writeFromRemote(options), () =>
        Effect.sync(() => recorder.record({ kind: "kept", device, entries: options.entries.map(placedEntry) }))
      )
    )
})

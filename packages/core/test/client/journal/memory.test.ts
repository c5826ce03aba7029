import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import { compareWithModel, journalCases } from "./journalCases.ts"

describe("effect's journal in memory", () => {
  for (const { name, run } of journalCases) {
    it.live(name, () => Effect.flatMap(EventJournal.makeMemory, run))
  }

  it.live("does what a second one does", () =>
    Effect.flatMap(EventJournal.makeMemory, (journal) => compareWithModel(journal, 1))
  )
})

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Context, Effect, Layer, type Scope } from "effect"
import { EventJournal } from "effect/eventlog"
import type { BackendServices } from "../../src/backend/Backend.ts"
import type { StoreId } from "../../src/backend/StoreId.ts"
import { leaseFromEventJournal } from "../../src/journal/leaseFromEventJournal.ts"
import type { TestBackend } from "../processing/harness.ts"
import { openSqlite, openSqlJournal } from "./sqliteJournal.ts"

export type Journal = EventJournal.EventJournal["Service"]

/** Where a journal is kept. Opening it again is what a process does that was restarted. */
export type Place = Effect.Effect<Journal, never, Scope.Scope>

/** The journals that effect has for servers: each makes an empty place. */
export const places: ReadonlyArray<readonly [name: string, make: Effect.Effect<Place, never, Scope.Scope>]> = [
  // It lives as long as the process: what is restarted is the server within it.
  ["memory", Effect.map(EventJournal.makeMemory, (journal) => Effect.succeed(journal))],
  [
    "SQL",
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "eventlog-journal-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    ).pipe(Effect.map((folder) => Effect.flatMap(openSqlite(join(folder, "journal.db")), openSqlJournal)))
  ]
]

/** The services of a backend, but for processing that remembers how far it is in journals. */
export const withJournals = (
  { services }: Pick<TestBackend, "services">,
  journalOf: (storeId: StoreId) => Journal
): Effect.Effect<Context.Context<BackendServices>, never, Scope.Scope> =>
  Layer.build(Layer.provideMerge(leaseFromEventJournal(journalOf), Layer.succeedContext(services)))

/** The entries' ids, in the journal's order. */
export const idsIn = (journal: Journal) =>
  Effect.map(journal.entries, (entries) => entries.map(({ idString }) => idString))

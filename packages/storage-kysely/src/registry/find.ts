import type { EventLogServerStoreRegistryError } from "@eventlog-server/core/backend"
import { Effect, Exit } from "effect"
import { sql } from "kysely"
import type { Database } from "../database/Database.ts"
import { type Asked, endOfTurn, gather } from "../database/gather.ts"
import { chunksOf } from "../database/values.ts"
import type { KeyRow } from "../schema/tables.ts"
import { run } from "./calls.ts"

/** What is known of a key, removed ones included. */
export type FoundKey = Pick<KeyRow, "public_key" | "store_id" | "signing_public_key" | "removed">

/** Finds the row of a key; `undefined` for one that was never mapped. */
export type FindKey = (publicKey: string) => Effect.Effect<FoundKey | undefined, EventLogServerStoreRegistryError>

type AskedKey = Asked<string, FoundKey | undefined, EventLogServerStoreRegistryError>

/** Keys that a statement asks for at most: far below the parameters that a database takes. */
const maxKeys = 1_024

/**
 * As many as a power of two, the last one again and again, so that statements of few different texts ask for any number.
 */
const padded = (publicKeys: ReadonlyArray<string>): ReadonlyArray<string> =>
  Array.from({ length: 2 ** Math.ceil(Math.log2(publicKeys.length)) }, (_, i) => publicKeys[i] ?? publicKeys.at(-1)!)

/**
 * Every write, every subscription and every check of a connection looks up its key, so what is looked up at the same time
 * is one statement. Nothing is remembered: a key that another process removed is refused from then on.
 */
export const makeFind = (database: Database): FindKey => {
  const find = (publicKeys: ReadonlyArray<string>) =>
    run(database, "resolve", () =>
      database.run(sql<FoundKey>`select public_key, store_id, signing_public_key, removed from ${database.tables.keys}
        where public_key in (${sql.join(padded(publicKeys))})`)
    )
  const answer = (asked: ReadonlyArray<AskedKey>): void => {
    const publicKeys = Array.from(new Set(asked.map(({ item }) => item)))
    // Nobody else waits for it, so it takes no fiber of its own.
    if (asked.length === 1) return asked[0]!.resume(Effect.map(find(publicKeys), ({ rows }) => rows[0]))
    Effect.runForkWith(asked[0]!.context)(find(publicKeys)).addObserver((exit) => {
      const found = Exit.map(exit, ({ rows }) => new Map(rows.map((row) => [row.public_key, row])))
      for (const { item, resume } of asked) resume(Exit.map(found, (rows) => rows.get(item)))
    })
  }
  return gather<string, FoundKey | undefined, EventLogServerStoreRegistryError>(endOfTurn, (asked) =>
    chunksOf(asked, maxKeys).forEach(answer)
  )
}

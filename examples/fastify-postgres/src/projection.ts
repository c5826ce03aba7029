import type { AsyncHandlers, HandlerInput } from "@eventlog-server/core"
import { sql, type Transaction } from "kysely"
import type { AppDatabase } from "./database.ts"
import type { Notes } from "./schema.ts"

type Input<Payload> = HandlerInput<Payload, Transaction<AppDatabase>>

/** All devices of a team share one store. */
export const storeOf = (team: string): string => `team:${team}`

const teamOf = (storeId: string): string => storeId.slice("team:".length)

/** Of texts that were written at the same time, offline perhaps, that with the greatest id stays, as on devices. */
const write = async ({ entry, payload, storeId, transaction }: Input<{ id: string; text: string }>) => {
  const written = { text: payload.text, written_by: entry.idString }
  await transaction
    .insertInto("notes")
    .values({ team: teamOf(storeId), id: payload.id, removed: false, edits: 1, ...written })
    .onConflict((conflict) =>
      conflict.columns(["team", "id"]).doUpdateSet((row) => ({
        edits: sql`notes.edits + 1`,
        text: sql`case when excluded.written_by > notes.written_by then excluded.text else notes.text end`,
        written_by: sql`greatest(${row.ref("excluded.written_by")}, ${row.ref("notes.written_by")})`
      }))
    )
    .execute()
}

/** A removal is final. */
const remove = async ({ entry, payload, storeId, transaction }: Input<{ id: string }>) => {
  await transaction
    .insertInto("notes")
    .values({ team: teamOf(storeId), id: payload.id, text: "", removed: true, written_by: entry.idString, edits: 1 })
    .onConflict((conflict) =>
      conflict.columns(["team", "id"]).doUpdateSet({ removed: true, edits: sql`notes.edits + 1` })
    )
    .execute()
}

/**
 * Keeps the table of notes: each event once, in the order of the feed. That it was handled is committed with what the
 * handler wrote, so that `edits` counts right over every crash.
 */
export const projection: AsyncHandlers<typeof Notes, Transaction<AppDatabase>> = {
  NoteWritten: write,
  NoteRemoved: remove
}

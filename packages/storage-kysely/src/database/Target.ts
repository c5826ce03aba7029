import type { Kysely, QueryResult, RawBuilder } from "kysely"
import type { Tables } from "../schema/tables.ts"

/** A handle that runs statements: the user's database, or a transaction on it. Its own tables don't matter here. */
export type Connection = Kysely<unknown>

/** What statements run on. */
export interface Target {
  readonly connection: Connection
  readonly tables: Tables
}

/**
 * Executes a statement that is a transaction of its own. Its text must be one of a few, however its parameters differ: the
 * database may keep it prepared.
 */
export type Run = <Row>(statement: RawBuilder<Row>) => Promise<QueryResult<Row>>

/** What statements run on again and again. */
export interface RunTarget extends Target {
  readonly run: Run
}

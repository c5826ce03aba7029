import { type RawBuilder, sql } from "kysely"
import type { Connection } from "../../database/Target.ts"
import type { Dialect } from "../Dialect.ts"
import { codeOf } from "../Failure.ts"
import { failureOf } from "./failures.ts"
import { namedText } from "./namedText.ts"
import { makeStatementNames } from "./statementNames.ts"

const probeName = "eventlog_probe"

/** Finds itself among what is prepared on its connection. Not by its name, which a pooler may change. */
const probe = sql`select 1 from pg_prepared_statements where statement like '% -- eventlog probe' -- eventlog probe`

/**
 * Whether the driver prepares what is named. It is the database that knows: other drivers than pg's take the text alone, or
 * don't know what to do with it.
 */
const preparesNamed = async (connection: Connection): Promise<boolean> => {
  const query = probe.compile(connection)
  try {
    const { rows } = await connection.executeQuery({ ...query, sql: namedText(query.sql, probeName) })
    return rows.length > 0
  } catch (cause) {
    if (failureOf(cause) === "Away") throw cause
    return false
  }
}

/**
 * Whether a statement wasn't executed because of how it was prepared: by another connection (26000), on this one by somebody
 * else (42P05), or for tables that have changed since.
 */
const isRefused = (cause: unknown): boolean => {
  const code = codeOf(cause)
  return (
    code === "26000" ||
    code === "42P05" ||
    (code === "0A000" && (cause as { readonly routine?: unknown }).routine === "RevalidateCachedQuery")
  )
}

/**
 * `Dialect.runPrepared`. What was refused wasn't executed, and was a transaction of its own, so it can be sent again as it is;
 * and so is everything from then on.
 */
export const runPrepared: NonNullable<Dialect["runPrepared"]> = (connection, onRefused) => {
  const nameOf = makeStatementNames()
  let prepares: Promise<boolean> | undefined
  const isPrepared = () => {
    prepares ??= preparesNamed(connection).catch((cause) => {
      prepares = undefined
      throw cause
    })
    return prepares
  }
  let isGivenUp = false
  const giveUp = (cause: unknown) => {
    if (!isGivenUp) onRefused(cause)
    isGivenUp = true
  }
  return async <Row>(statement: RawBuilder<Row>) => {
    const query = statement.compile(connection)
    const name = !isGivenUp && (await isPrepared()) ? nameOf(query.sql) : undefined
    if (name === undefined) return connection.executeQuery(query)
    try {
      return await connection.executeQuery({ ...query, sql: namedText(query.sql, name) })
    } catch (cause) {
      if (!isRefused(cause)) throw cause
      giveUp(cause)
      return connection.executeQuery(query)
    }
  }
}

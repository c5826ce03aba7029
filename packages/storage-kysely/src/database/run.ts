import { Effect } from "effect"
import type { Dialect } from "../dialects/Dialect.ts"
import type { Connection, Run } from "./Target.ts"

const refused = `The database doesn't find statements that this process prepared, as behind a pooler that shares connections \
between transactions, or finds them out of date after a migration. They are sent unprepared until the process ends. Behind \
a pooler that can't pass them on set preparedStatements: false`

/** How statements that are executed again and again are executed: prepared, where that is wanted and helps. */
export const makeRun = (connection: Connection, { runPrepared }: Dialect, isWanted: boolean): Effect.Effect<Run> =>
  Effect.map(Effect.context(), (context) =>
    isWanted && runPrepared !== undefined
      ? runPrepared(connection, (cause) => Effect.runForkWith(context)(Effect.logWarning(refused, cause)))
      : (statement) => statement.execute(connection)
  )

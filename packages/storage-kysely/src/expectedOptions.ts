import {
  aBoolean,
  aFunction,
  aText,
  type Expectations,
  members,
  oneOf,
  required,
  time,
  withFunctions,
  withHint
} from "@eventlog-server/core/backend"
import { dialects } from "./dialects/dialects.ts"
import type { KyselyBackendOptions, PollOptions } from "./options.ts"

const names = Object.keys(dialects)

const dialectHint = (value: unknown): string | undefined => {
  if (typeof value === "object") return "It is the name of the database, and not what Kysely is given."
  if (value === "postgresql" || value === "pg") return 'Give "postgres".'
  if (value === "mariadb") return 'Give "mysql".'
  return value === "better-sqlite3" ? 'Give "sqlite".' : undefined
}

const db = withHint(
  required({ ...withFunctions("withoutPlugins", "transaction"), expected: "a Kysely instance" }),
  (value) => (value === undefined ? undefined : "A pool or a driver's database goes into it: new Kysely({ dialect }).")
)

/** What `kyselyBackend` takes. */
export const expectedOptions: Expectations<KyselyBackendOptions<unknown>> = {
  db,
  dialect: withHint(required(oneOf(...names)), dialectHint),
  prefix: aText,
  schema: aText,
  listen: aFunction,
  poll: members<PollOptions>({ min: time, max: time, whileListening: time }),
  leaseTime: time,
  transactionalHandlers: aBoolean,
  preparedStatements: aBoolean
}

import type { Backend } from "@eventlog-server/core"
import {
  type DialectName,
  ensureSchema,
  type KyselyBackendOptions,
  kyselyBackend
} from "@eventlog-server/storage-kysely"
import type { Kysely, Transaction } from "kysely"
import { leaseTime, type OpenStorage, type Projection } from "./openStorage.ts"

interface Tables {
  /** `place` is given by the harness's own count, since not every database counts without gaps. */
  readonly projection: { readonly store: string; readonly place: number; readonly entry: string }
}

const createTables = async (db: Kysely<Tables>, dialect: DialectName): Promise<void> => {
  await ensureSchema(db, { dialect })
  await db.schema
    .createTable("projection")
    .ifNotExists()
    .addColumn("store", "varchar(100)", (column) => column.notNull())
    .addColumn("place", "integer", (column) => column.notNull())
    .addColumn("entry", "varchar(32)", (column) => column.notNull())
    .addPrimaryKeyConstraint("projection_places", ["store", "place"])
    .execute()
}

/** Waits for a database that is away: whoever runs a server would start it again until it comes up. */
const insist = async (work: () => Promise<void>): Promise<void> => {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= 200) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Counts what is there and adds behind it: two that ran at the same time would fail, a lost one would leave no gap. */
const add = async (transaction: unknown, store: string, entry: string): Promise<void> => {
  const db = transaction as Transaction<Tables>
  const { last } = await db
    .selectFrom("projection")
    .where("store", "=", store)
    .select((eb) => eb.fn.max("place").as("last"))
    .executeTakeFirstOrThrow()
  await db
    .insertInto("projection")
    .values({ store, place: Number(last ?? 0) + 1, entry })
    .execute()
}

const projectionOf = (db: Kysely<Tables>): Projection => ({
  add,
  clear: (transaction, store) =>
    (transaction as Transaction<Tables>).deleteFrom("projection").where("store", "=", store).execute(),
  read: async (store) => {
    const rows = await db.selectFrom("projection").where("store", "=", store).select("entry").orderBy("place").execute()
    return rows.map(({ entry }) => entry)
  }
})

/** A storage in a SQL database. Several servers may find it empty at the same time. */
export const openKysely = async (
  db: Kysely<unknown>,
  options: Pick<KyselyBackendOptions<unknown>, "dialect" | "listen">,
  isTransactional: boolean
): Promise<OpenStorage> => {
  const own = db as Kysely<Tables>
  await insist(() => createTables(own, options.dialect))
  const backend = { ...options, db: own, leaseTime, poll: { max: 500, whileListening: 2_000 } }
  const close = () => db.destroy()
  if (!isTransactional) return { backend: kyselyBackend(backend) as Backend<unknown>, close }
  return {
    backend: kyselyBackend({ ...backend, transactionalHandlers: true }) as Backend<unknown>,
    projection: projectionOf(own),
    close
  }
}

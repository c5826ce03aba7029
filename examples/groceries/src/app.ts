import { eventLogPlugin } from "@eventlog-server/adapter-fastify"
import { allowAll, createEventLogServer, effectCompaction } from "@eventlog-server/core"
import { ensureSchema, kyselyBackend } from "@eventlog-server/storage-kysely"
import { EventRow } from "effect/eventlog"
import Fastify, { type FastifyInstance } from "fastify"
import { openDatabase } from "./database.ts"
import { Groceries, Grocery, schema } from "./groceries.ts"
import { projection } from "./projection.ts"

/** Whoever connects belongs to it. A real app asks who somebody is. */
export const household = "ours"

/** The groceries of a household over HTTP, and the event log that devices sync through. */
export const buildApp = async (file: string): Promise<FastifyInstance> => {
  const db = await openDatabase(file)
  await ensureSchema(db, { dialect: "sqlite" })
  const app = Fastify({ logger: { level: "warn" } })
  const server = createEventLogServer({
    schema,
    handlers: projection,
    backend: kyselyBackend({ db, dialect: "sqlite", transactionalHandlers: true }),
    auth: allowAll,
    enroll: () => household,
    compaction: [effectCompaction(EventRow.compaction(Groceries, Grocery), { olderThan: "30 days" })],
    logger: app.log
  })
  // Hooks run in reverse order, so the server is closed before.
  app.addHook("onClose", () => db.destroy())
  await app.register(eventLogPlugin, { server })

  app.get("/groceries", () =>
    db
      .selectFrom("groceries")
      .select(["id", "name", "count", "bought"])
      .where("household", "=", household)
      .orderBy("id")
      .execute()
  )

  /** Buys something for those without a device: a patch like any other. */
  app.post<{ Params: { id: string } }>("/groceries/:id/bought", async ({ params }, reply) => {
    const { sequenceNumbers } = await server.write({
      storeId: household,
      ...Grocery.patch(params.id, { bought: true })
    })
    await server.processed({ storeId: household, sequence: sequenceNumbers[0]! })
    return reply.code(204).send()
  })
  return app
}

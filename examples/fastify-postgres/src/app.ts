import { eventLogPlugin } from "@eventlog-server/adapter-fastify"
import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { kyselyBackend } from "@eventlog-server/storage-kysely"
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify"
import pg from "pg"
import { type Credentials, logIn, register, sessionCookie, type User, userOf } from "./accounts.ts"
import { openDatabase } from "./database.ts"
import { migrate } from "./migrations.ts"
import { projection, storeOf } from "./projection.ts"
import { schema } from "./schema.ts"

const text = { type: "string", minLength: 1, maxLength: 200 }

/** The schema of a JSON body. */
const body = (...names: ReadonlyArray<string>) => ({
  body: { type: "object", required: names, properties: Object.fromEntries(names.map((name) => [name, text])) }
})

/**
 * The app: accounts, the notes of a team over HTTP, and the event log that devices sync through.
 *
 * @param leaseMillis how long the handlers of a process that died keep those of another one waiting
 */
export const buildApp = async (connectionString: string, leaseMillis = 30_000): Promise<FastifyInstance> => {
  const db = openDatabase(connectionString)
  await migrate(db)
  const app = Fastify({ logger: { level: "warn" } })

  const requireUser = async ({ headers }: FastifyRequest): Promise<User> => {
    const user = await userOf(db, headers.cookie)
    if (user === undefined) throw Object.assign(new Error("Log in first"), { statusCode: 401 })
    return user
  }

  const server = createEventLogServer({
    schema,
    handlers: projection,
    backend: kyselyBackend({
      db,
      dialect: "postgres",
      listen: () => new pg.Client({ connectionString }),
      transactionalHandlers: true,
      leaseTime: leaseMillis
    }),
    // A device proves its key first, and got its store from the user who was logged in then.
    auth: allowAll,
    // Whoever connects has passed `requireUser`.
    enroll: ({ connection }) => storeOf((connection!.principal as User).team),
    logger: app.log
  })
  // What nobody else closes; hooks run in reverse order, so the server is closed before.
  app.addHook("onClose", () => db.destroy())
  await app.register(eventLogPlugin, { server, authenticate: requireUser })

  app.post<{ Body: Credentials & User }>(
    "/register",
    { schema: body("name", "password", "team") },
    async (request, reply) => reply.code((await register(db, request.body)) ? 204 : 409).send()
  )

  app.post<{ Body: Credentials }>("/login", { schema: body("name", "password") }, async (request, reply) => {
    const token = await logIn(db, request.body)
    if (token === undefined) return reply.code(401).send({ message: "Wrong name or password" })
    return reply.header("set-cookie", sessionCookie(token)).code(204).send()
  })

  /** The notes of the user's team, from the projection. */
  app.get("/notes", async (request) => {
    const { team } = await requireUser(request)
    return db
      .selectFrom("notes")
      .select(["id", "text", "edits"])
      .where("team", "=", team)
      .where("removed", "=", false)
      .orderBy("id")
      .execute()
  })

  /** Writes a note for those without a device; answers when it is in the projection. */
  app.put<{ Params: { id: string }; Body: { text: string } }>(
    "/notes/:id",
    { schema: body("text") },
    async (request, reply) => {
      const storeId = storeOf((await requireUser(request)).team)
      const payload = { id: request.params.id, text: request.body.text }
      const { sequenceNumbers } = await server.write({ storeId, event: "NoteWritten", payload })
      const [sequence = 0] = sequenceNumbers
      await server.processed({ storeId, sequence })
      return reply.send({ sequence })
    }
  )

  return app
}

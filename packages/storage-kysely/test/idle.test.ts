import { allowAll, createEventLogServer } from "@eventlog-server/core"
import { Wire } from "@eventlog-server/testkit/devices"
import { addedSchema } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import SQLite from "better-sqlite3"
import { Effect } from "effect"
import { Kysely, SqliteDialect } from "kysely"
import { expect, it, onTestFinished, vi } from "vitest"
import { ensureSchema, kyselyBackend } from "../src/index.ts"

const connections = 200
const checks = 10

/** A look at the id of the backend comes with each check of all connections, once. */
const isCheck = (statement: string): boolean => /^\s*select remote_id/.test(statement)

it("idle connections make no statements but what all of them share", async () => {
  const statements: Array<string> = []
  const dialect = new SqliteDialect({ database: new SQLite(":memory:") })
  const db = new Kysely<unknown>({ dialect, log: ({ query }) => void statements.push(query.sql) })
  onTestFinished(() => db.destroy())
  await ensureSchema(db, { dialect: "sqlite" })
  const server = createEventLogServer({
    schema: addedSchema,
    handlers: { TodoAdded: async () => {} },
    backend: kyselyBackend({ db, dialect: "sqlite" }),
    auth: allowAll,
    reauthorizeInterval: 100,
    sweepInterval: 100
  })
  onTestFinished(() => server.close())
  await server.ready()
  for (let number = 0; number < connections; number++) {
    const publicKey = `key ${number}`
    await server.assign({ publicKey, storeId: `store ${number}` })
    const wire = new Wire(server, { bufferedBytes: () => 0 })
    await Effect.runPromise(wire.nth("Hello"))
    await Effect.runPromise(wire.prove(publicKey, makeSigningKey()))
    await Effect.runPromise(wire.answer(wire.subscribe(0, publicKey)))
    await server.write({ storeId: `store ${number}`, event: "TodoAdded", payload: { id: "a", text: "" } })
    await server.processed({ storeId: `store ${number}`, sequence: 1 })
  }
  expect(await server.stats()).toMatchObject({ connections, subscriptions: connections })
  // Until leases are given back that are kept for a while after a write.
  await vi.waitFor(
    () => expect(statements.slice(-50).some((statement) => /lease_holder = null/.test(statement))).toBe(false),
    {
      timeout: 30_000,
      interval: 1_000
    }
  )

  statements.length = 0
  await vi.waitFor(() => expect(statements.filter(isCheck).length).toBeGreaterThanOrEqual(checks), { timeout: 30_000 })
  // What keys may do, that of subscriptions, the id, the heads of listened stores, keys that changed, stores that are behind.
  expect(statements.length).toBeLessThan(checks * 12)
}, 60_000)

import { type AppLogger, allowAll, createEventLogServer } from "@eventlog-server/core"
import {
  type PgBouncerOptions,
  passingPgBouncerMissing,
  pgBouncerMissing,
  postgresUrl,
  startPgBouncer
} from "@eventlog-server/testkit/databases"
import { Wire } from "@eventlog-server/testkit/devices"
import { addedSchema, silent } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect } from "effect"
import { Client } from "pg"
import { describe, expect, it, onTestFinished } from "vitest"
import { type KyselyBackendOptions, kyselyBackend } from "../src/index.ts"
import { databases } from "./databases/databases.ts"
import { openApp, openTables } from "./prepared/node.ts"

const away = databases.find(({ name }) => name === "postgres")?.away

const [storeId, publicKey] = ["store", "A"]

/** Entries that are written one after the other, by two servers in turn. */
const writes = 10

/** A PgBouncer that shares connections between transactions, in front of tables, until the test is over. */
const openPooler = async (options?: PgBouncerOptions) => {
  const { schema } = await openTables()
  const pooler = await startPgBouncer(options)
  onTestFinished(pooler.remove)
  return { schema, url: pooler.url }
}

type Pooler = Awaited<ReturnType<typeof openPooler>>

/** A server behind the pooler. */
const openServer = async (
  { schema, url }: Pooler,
  options: Pick<KyselyBackendOptions<unknown>, "listen" | "poll" | "preparedStatements">
) => {
  const warnings: Array<string> = []
  const handled: Array<string> = []
  const warn: AppLogger["warn"] = (...parts) => void warnings.push(parts.map(String).join(" "))
  const server = createEventLogServer({
    schema: addedSchema,
    handlers: { TodoAdded: ({ payload }) => void handled.push(payload.id) },
    backend: kyselyBackend({
      db: openApp({ connectionString: url, max: 4 }),
      dialect: "postgres",
      schema,
      ...options
    }),
    auth: allowAll,
    linger: 0,
    logger: { ...silent, warn }
  })
  onTestFinished(() => server.close())
  await server.ready()
  return { server, warnings, handled }
}

type TestServer = Awaited<ReturnType<typeof openServer>>

const subscribe = async ({ server }: TestServer): Promise<Wire> => {
  await server.assign({ publicKey, storeId })
  const wire = new Wire(server, { bufferedBytes: () => 0 })
  await Effect.runPromise(wire.nth("Hello"))
  await Effect.runPromise(wire.prove(publicKey, makeSigningKey()))
  await Effect.runPromise(wire.answer(wire.subscribe(0, publicKey)))
  return wire
}

/** Two servers write in turn; one sends all of it to a device, and one of them handles each entry. */
const work = async (servers: ReadonlyArray<TestServer>) => {
  const wire = await subscribe(servers[0]!)
  const all = Array.from({ length: writes }, (_, index) => index + 1)
  for (const sequence of all) {
    const { server } = servers[sequence % servers.length]!
    await server.write({ storeId, event: "TodoAdded", payload: { id: `${sequence}`, text: "" } })
    await server.processed({ storeId, sequence })
    await Effect.runPromise(wire.until(() => (wire.sequences.length === sequence ? true : undefined)))
  }
  expect(wire.sequences).toEqual(all)
  const handled = servers.flatMap((server) => server.handled)
  expect(handled.toSorted((a, b) => Number(a) - Number(b))).toEqual(all.map(String))
}

describeUnless(away ?? pgBouncerMissing())("behind PgBouncer, which shares connections between transactions", () => {
  it("a server that listens past it hears of every commit, and warns of nothing", async () => {
    const pooler = await openPooler()
    const options = {
      preparedStatements: false,
      listen: () => new Client(postgresUrl),
      poll: { min: "1 hour", max: "1 hour", whileListening: "1 hour" }
    } as const
    const servers = [await openServer(pooler, options), await openServer(pooler, options)]
    await work(servers)
    expect(servers.flatMap(({ warnings }) => warnings)).toEqual([])
  })

  it("a server that listens through it is told so once, and looks", async () => {
    const pooler = await openPooler()
    const options = {
      preparedStatements: false,
      listen: () => new Client(pooler.url),
      poll: { whileListening: "1 hour" }
    } as const
    const servers = [await openServer(pooler, options), await openServer(pooler, options)]
    for (const { warnings } of servers) {
      await expect.poll(() => warnings).toEqual([expect.stringContaining('have "listen" connect to PostgreSQL itself')])
    }
    await work(servers)
    expect(servers.map(({ warnings }) => warnings.length)).toEqual([1, 1])
  })
})

// Debian's stable release has none, so that CI can't ask for one.
const reason = away ?? passingPgBouncerMissing()

describe.skipIf(reason !== undefined)(
  `PgBouncer that passes prepared statements on${reason ? `: ${reason}` : ""}`,
  () => {
    it("is passed by what is prepared", async () => {
      const pooler = await openPooler({ maxPreparedStatements: 200 })
      const options = { listen: () => new Client(postgresUrl) }
      const servers = [await openServer(pooler, options), await openServer(pooler, options)]
      await work(servers)
      expect(servers.flatMap(({ warnings }) => warnings)).toEqual([])
    })
  }
)

import {
  type AccessChange,
  type BackendServices,
  EventLogServerStoreRegistry,
  type EventLogServerStoreRegistryError
} from "@eventlog-server/core/backend"
import { freshName, postgresUrl } from "@eventlog-server/testkit/databases"
import SQLite from "better-sqlite3"
import { Context, Effect, Exit, Layer, Logger, Scope, Stream } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { TestClock } from "effect/testing"
import { Kysely, SqliteDialect, sql } from "kysely"
import { Client } from "pg"
import { describe, expect, it, onTestFinished } from "vitest"
import { ensureSchema, type KyselyBackendOptions, kyselyBackend } from "../src/index.ts"
import { databases } from "./databases/databases.ts"
import { dropSchema, openPostgres } from "./databases/postgres.ts"

type Registry = EventLogServerStoreRegistry["Service"]

const storeId = EventLogMessage.StoreId.make("store")
const signingKey = (byte: number) => new Uint8Array(32).fill(byte)
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)
const postgresAway = databases.find(({ name }) => name === "postgres")?.away

/** The registry of a node, until the test is over. */
const openNode = async <DB>(options: KyselyBackendOptions<DB>): Promise<Registry> => {
  const scope = Scope.makeUnsafe()
  onTestFinished(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const layer: Layer.Layer<BackendServices> = kyselyBackend({ ...options, transactionalHandlers: false }).layer
  const quiet = Layer.provide(layer, Logger.layer([]))
  return Context.get(await Effect.runPromise(Layer.buildWithScope(quiet, scope)), EventLogServerStoreRegistry)
}

/** Listens, until the test is over, and returns how to get the next note. */
const listen = async ({ changes }: Registry): Promise<() => Promise<AccessChange>> => {
  const scope = Scope.makeUnsafe()
  onTestFinished(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const pull = await Effect.runPromise(Scope.provide(Stream.toPull(Stream.rechunk(changes, 1)), scope))
  return async () => (await Effect.runPromise(Effect.orDie(pull)))[0]
}

const run = <A>(effect: Effect.Effect<A, EventLogServerStoreRegistryError>) => Effect.runPromise(effect)

const changeKey = async (registry: Registry, publicKey: string) => {
  await run(registry.assign({ publicKey, storeId }))
  await run(registry.remove(publicKey))
}

/** Changes keys on one node until another names one: at first it may still say that any key's access changed. */
const untilNamed = async (registry: Registry, next: () => Promise<AccessChange>) => {
  const changed = new Set<string>()
  let change: AccessChange = "any"
  while (change === "any") {
    const publicKey = crypto.randomUUID()
    changed.add(publicKey)
    await changeKey(registry, publicKey)
    do change = await next()
    while (change !== "any" && change.publicKey !== publicKey)
  }
  expect(changed).toContain(change.publicKey)
}

for (const { away, name, open } of databases) {
  describe.skipIf(away !== undefined)(`${name}${away === undefined ? "" : `: ${away}`}`, () => {
    const setUp = async () => {
      const database = await open()
      const node = await openNode({ db: database.db, ...database.options })
      const peer = await openNode({ db: database.openAnother(), ...database.options })
      return { ...database, node, peer, next: await listen(peer) }
    }

    it("names the keys that another node changed, and none that it tried in vain", async () => {
      const { next, node } = await setUp()
      await untilNamed(node, next)
      const bound = { publicKey: "bound", signingPublicKey: signingKey(1) }
      await run(node.assign({ ...bound, storeId }))
      await run(node.assign({ ...bound, storeId }))
      await run(node.assign({ publicKey: "bound", storeId }))
      await run(node.bind({ ...bound, signingPublicKey: signingKey(2) }))
      await run(node.enroll({ ...bound, publicKey: "enrolled", storeId }))
      await run(node.remove("never mapped"))
      await changeKey(node, "last")
      expect(await next()).toEqual({ publicKey: "last" })
    })

    it("takes a database that went back for one in which any key's access may be another", async () => {
      const { db, next, node, options } = await setUp()
      await untilNamed(node, next)
      const table = (name: string) => sql.table(options.schema === undefined ? name : `${options.schema}.${name}`)
      await sql`update ${table("eventlog_keys")} set access_change = 0`.execute(db)
      await sql`update ${table("eventlog_identity")} set access_changes = 0`.execute(db)
      expect(await next()).toBe("any")
      await changeKey(node, "last")
      expect(await next()).toEqual({ publicKey: "last" })
    })
  })
}

/** A database whose statements are known, on one connection: they are done in the order in which they are asked for. */
const openLogged = {
  postgres: async () => {
    const statements: Array<string> = []
    const db = openPostgres({ max: 1 }, ({ sql }) => void statements.push(`${sql}`))
    const schema = freshName()
    onTestFinished(async () => {
      await dropSchema(db, schema)
      await db.destroy()
    })
    return { statements, db, options: { dialect: "postgres", schema } as const }
  },
  sqlite: async () => {
    const statements: Array<string> = []
    const dialect = new SqliteDialect({ database: new SQLite(":memory:") })
    const db = new Kysely<unknown>({ dialect, log: ({ query }) => void statements.push(query.sql) })
    onTestFinished(() => db.destroy())
    return { statements, db, options: { dialect: "sqlite" } as const }
  }
}

for (const name of ["postgres", "sqlite"] as const) {
  describe.skipIf(name === "postgres" && postgresAway !== undefined)(`statements on ${name}`, () => {
    it("only read keys that are bound, those that are asked for at once together", async () => {
      const { db, options, statements } = await openLogged[name]()
      await ensureSchema(db, options)
      const node = await openNode({ db, ...options })
      const keys = numbers(1_000).map((number) => ({
        publicKey: `key ${number}`,
        signingPublicKey: signingKey(number)
      }))
      const all = <A>(call: (key: (typeof keys)[number]) => Effect.Effect<A, EventLogServerStoreRegistryError>) =>
        Promise.all(keys.map((key) => Effect.runPromise(call(key))))
      for (const key of keys) await run(node.enroll({ ...key, storeId }))
      statements.length = 0
      const [bound, resolved] = await Promise.all([
        all(({ publicKey }) => node.bind({ publicKey, signingPublicKey: signingKey(255) })),
        all(({ publicKey }) => node.resolve(publicKey))
      ])
      expect(bound.map(([byte]) => byte)).toEqual(numbers(1_000).map((number) => number % 256))
      expect(new Set(resolved)).toEqual(new Set([storeId]))
      expect(statements.length).toBeLessThanOrEqual(4)
      for (const statement of statements) expect(statement).toMatch(/^select/)
    })

    it("look for changes while somebody listens, once in a while however many listen", async () => {
      const { db, options, statements } = await openLogged[name]()
      await ensureSchema(db, options)
      statements.length = 0
      // A statement is done when the one that is asked for behind it is.
      const countAfter = (millis: number, node: Registry) =>
        Effect.gen(function* () {
          yield* TestClock.adjust(millis)
          yield* Effect.orDie(node.list({ limit: 1 }))
          const looks = statements.filter((statement) => statement.includes("access_changes")).length
          statements.length = 0
          return looks
        })
      const program = Effect.gen(function* () {
        const services = yield* Layer.build(kyselyBackend({ db, ...options }).layer)
        const node = Context.get(services, EventLogServerStoreRegistry)
        expect(yield* countAfter(10_000, node)).toBe(0)
        const scope = yield* Scope.make()
        for (const _listener of numbers(100)) {
          yield* Effect.flatten(Stream.toPull(node.changes)).pipe(Scope.provide(scope))
        }
        expect(yield* countAfter(0, node)).toBe(1)
        for (const _look of numbers(3)) expect(yield* countAfter(500, node)).toBe(1)
        yield* Scope.close(scope, Exit.void)
        expect(yield* countAfter(10_000, node)).toBe(0)
      })
      await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(TestClock.layer())))
    })
  })
}

describe.skipIf(postgresAway !== undefined)("PostgreSQL with listen", () => {
  it("names keys at once, and loses none when the listening connection is killed", async () => {
    const db = openPostgres()
    const schema = freshName()
    await ensureSchema(db, { dialect: "postgres", schema })
    onTestFinished(async () => {
      await dropSchema(db, schema)
      await db.destroy()
    })
    const clients: Array<Client> = []
    const listenOn = () => {
      const client = new Client(postgresUrl)
      clients.push(client)
      return client
    }
    // Nobody looks.
    const options = { db, dialect: "postgres", schema, poll: { whileListening: "1 hour" } } as const
    const node = await openNode({ ...options, listen: () => new Client(postgresUrl) })
    const peer = await openNode({ ...options, listen: listenOn })
    const next = await listen(peer)
    for (const round of numbers(3)) {
      await untilNamed(node, next)
      const { processID } = clients.at(-1) as unknown as { readonly processID: number }
      await sql`select pg_terminate_backend(${processID})`.execute(db)
      const isThere = () => sql`select 1 from pg_stat_activity where pid = ${processID}`.execute(db)
      await expect.poll(async () => (await isThere()).rows.length).toBe(0)
      const publicKey = `round ${round}`
      await changeKey(node, publicKey)
      let change: AccessChange
      do change = await next()
      while (change !== "any" && change.publicKey !== publicKey)
    }
  })
})

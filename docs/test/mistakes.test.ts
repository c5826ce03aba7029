import { readFileSync } from "node:fs"
import { setImmediate as turn } from "node:timers/promises"
import { eventLogPlugin } from "@eventlog-server/adapter-fastify"
import { eventLog } from "@eventlog-server/adapter-hono"
import {
  type AppLogger,
  allowAll,
  createEventLogServer,
  groupCompaction,
  InvalidOptionsError,
  keepLast,
  memoryBackend
} from "@eventlog-server/core"
import { kyselyBackend } from "@eventlog-server/storage-kysely"
import { redisBackend } from "@eventlog-server/storage-redis"
import { Wire } from "@eventlog-server/testkit/devices"
import { freePort } from "@eventlog-server/testkit/network"
import { schema, Todos } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import Database from "better-sqlite3"
import { Effect } from "effect"
import Fastify from "fastify"
import { Kysely, PostgresDialect, SqliteDialect } from "kysely"
import { Pool } from "pg"
import { describe, expect, it, onTestFinished } from "vitest"
import { root } from "./snippets.ts"

const silent: AppLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

const handlers = { TodoAdded: () => {}, TodoToggled: () => {} }

/** What a right app gives; a mistake takes its place. As JavaScript would: nothing looks at types. */
const serve = (mistake: object = {}) => {
  const right = { schema, handlers, backend: memoryBackend(), auth: allowAll, logger: silent, healthTimeout: 2_000 }
  const server = createEventLogServer({ ...right, ...mistake } as typeof right)
  onTestFinished(() => server.close())
  return server
}

/** A server that was started, and something that is asked of it as JavaScript may. */
const ask = async (ask: (server: Record<"write" | "assign", (options: unknown) => Promise<unknown>>) => unknown) =>
  ask(serve() as never)

const openSqlite = () => {
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: new Database(":memory:") }) })
  onTestFinished(() => db.destroy())
  return db
}

const openPostgres = (port: number) => {
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: new Pool({ host: "127.0.0.1", port }) }) })
  onTestFinished(() => db.destroy())
  return db
}

/** What is logged when a device that nobody knows says who it is. */
const refusedDevice = async (mistake: object) => {
  const lines: Array<string> = []
  const log = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`)
  const server = serve({ logger: { ...silent, warn: log, error: log }, ...mistake })
  await server.ready()
  const wire = new Wire(server, {})
  await Effect.runPromise(Effect.andThen(wire.nth("Hello"), wire.prove("A", makeSigningKey())))
  await expect.poll(() => lines.length).toBeGreaterThan(0)
  await turn()
  return lines.join("\n")
}

const kysely = (options: object) => kyselyBackend(options as Parameters<typeof kyselyBackend>[0])
const ready = (options: object) => serve({ backend: kysely(options) }).ready()

const mount = (options: object) => eventLog(options as Parameters<typeof eventLog>[0])

/** Each mistake by its words on the page. It throws, rejects, or resolves with what was logged. */
const mistakes: Readonly<Record<string, () => unknown>> = {
  "`enrol` instead of `enroll`": () => serve({ enrol: () => "store" }),
  "no `schema`": () => serve({ schema: undefined }),
  "the group of events as `schema`": () => serve({ schema: Todos }),
  "no `handlers`": () => serve({ handlers: undefined }),
  "an event without a handler": () => serve({ handlers: { TodoAdded: () => {} } }),
  "a handler for an event that there isn't": () => serve({ handlers: { ...handlers, TodoToggle: () => {} } }),
  "a handler that is no function": () => serve({ handlers: { ...handlers, TodoAdded: "save" } }),
  "no `backend`": () => serve({ backend: undefined }),
  "`memoryBackend` without `()`": () => serve({ backend: memoryBackend }),
  "a Kysely instance as `backend`": () => serve({ backend: openSqlite() }),
  "a backend that isn't there yet": () => serve({ backend: Promise.resolve(memoryBackend()) }),
  "no `auth`": () => serve({ auth: undefined }),
  "`auth` without `write`": () => serve({ auth: { read: () => {} } }),
  "a text as `enroll`": () => serve({ enroll: "shared" }),
  "a limit with a unit": () => serve({ limits: { maxFrameBytes: "64kb" } }),
  "a limit that there isn't": () => serve({ limits: { maxFramesBytes: 65_536 } }),
  "a time that is none": () => serve({ handlerTimeout: "5 secs" }),
  "`sessionAuth: false`": () => serve({ sessionAuth: false }),
  "a compaction outside of an array": () =>
    serve({ compaction: groupCompaction(Todos, { olderThan: "30 days" }, keepLast()) }),
  "`logger: true`": () => serve({ logger: true }),
  "no options at all": () => createEventLogServer(undefined as never),
  "no `dialect`": () => kysely({ db: openSqlite() }),
  '`dialect: "postgresql"`': () => kysely({ db: openSqlite(), dialect: "postgresql" }),
  "a pool as `db`": () => kysely({ db: new Pool(), dialect: "postgres" }),
  "an address as `redis`": () => redisBackend({ redis: "redis://127.0.0.1" } as never),
  "no `upgradeWebSocket`": () => mount({ server: serve() }),
  "no `server` for the plugin": () => Fastify().register(eventLogPlugin, {} as never),
  "an origin with a slash": () =>
    mount({ server: serve(), upgradeWebSocket: () => {}, allowedOrigins: ["https://app.example/"] }),
  "tables that weren't made": () => ready({ db: openSqlite(), dialect: "sqlite" }),
  "a SQLite database as `postgres`": () => ready({ db: openSqlite(), dialect: "postgres" }),
  "a database that doesn't run": async () => ready({ db: openPostgres(await freePort()), dialect: "postgres" }),
  "a write to no store": () => ask(({ write }) => write({ event: "TodoAdded", payload: { id: "1", title: "Milk" } })),
  "a write of an event that there isn't": () =>
    ask(({ write }) => write({ storeId: "store", event: "TodoRemoved", payload: {} })),
  "a write of another payload": () => ask(({ write }) => write({ storeId: "store", event: "TodoAdded", payload: {} })),
  "a call after `close()`": async () => {
    const server = serve()
    await server.close()
    await server.stats()
  },
  "devices and no `enroll`": () => refusedDevice({}),
  "an `enroll` that returns nothing": () => refusedDevice({ enroll: () => {} })
}

/** The rows of the page's table: the mistake, and what is seen of it; "…" stands for something. */
const rows = [
  ...readFileSync(new URL("docs/mistakes.md", root), "utf8").matchAll(/^\| (?!Mistake|-)(.+?) +\| `(.+)` +\|$/gm)
].map(([, mistake, seen]) => ({ mistake: mistake!, seen: seen! }))

const seenOf = async (make: () => unknown): Promise<string> => {
  try {
    return String(await make())
  } catch (error) {
    return (error as Error).message
  }
}

describe("docs/mistakes.md", () => {
  it("lists the thirty commonest mistakes and more, each of which is tried", () => {
    expect(rows.map(({ mistake }) => mistake)).toEqual(Object.keys(mistakes))
    expect(rows.length).toBeGreaterThanOrEqual(30)
  })

  it.each(rows)("says what is seen of: $mistake", async ({ mistake, seen }) => {
    const text = await seenOf(mistakes[mistake]!)
    let at = 0
    for (const part of seen.split("…").map((part) => part.trim())) {
      at = text.indexOf(part, at)
      expect(at < 0 ? text : part).toBe(part)
      at += part.length
    }
  })

  it("names all that is wrong, and nothing where nothing is", () => {
    expect(() => serve({ enrol: () => "", auth: undefined, limits: { maxKeys: -1 } })).toThrow(InvalidOptionsError)
    const problems = [
      expect.stringContaining("enrol"),
      expect.stringContaining("maxKeys"),
      expect.stringContaining("auth")
    ]
    expect(() => serve({ enrol: () => "", auth: undefined, limits: { maxKeys: -1 } })).toThrow(
      expect.objectContaining({ subject: "createEventLogServer", problems: expect.arrayContaining(problems) })
    )
    serve({ enroll: undefined, limits: { maxKeys: 2 }, handlerTimeout: "5 seconds", admit: () => true })
  })

  it("shows no text that may be a secret", () => {
    const redis = () => redisBackend({ redis: "redis://:hunter2@127.0.0.1" } as never)
    expect(redis).toThrow("a text of")
    expect(redis).not.toThrow("hunter2")
  })
})

describe("a device that is refused again and again", () => {
  it("is logged once for each reason, and not again within a minute", async () => {
    const lines: Array<string> = []
    const server = serve({ logger: { ...silent, warn: (_: object, message: string) => lines.push(message) } })
    await server.ready()
    const wire = new Wire(server, {})
    await Effect.runPromise(wire.nth("Hello"))
    for (const key of ["A", "B", "C"]) {
      expect(await Effect.runPromise(wire.prove(key, makeSigningKey()))).toMatchObject({ reason: "NotMapped" })
    }
    await turn()
    expect(lines.map((line) => line.split(".")[0])).toEqual(["A device is refused: NotMapped"])
  })
})

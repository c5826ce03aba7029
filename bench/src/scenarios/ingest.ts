import type { Benchmark, Contender, Measurement, Role } from "../benchmark.ts"
import { startBare } from "../contenders/bare.ts"
import { startEffect } from "../contenders/effect.ts"
import { startOurs } from "../contenders/ours.ts"
import type { Server } from "../contenders/server.ts"
import type { StorageName } from "../contenders/storages.ts"
import type { InsertingDatabase } from "../load/inserters.ts"
import { runLoad } from "../loads.ts"
import { onStorage, type Scenario, type Settings, serverContender, serverOn } from "./scenario.ts"

/** What is written, and where. */
export interface IngestCase {
  readonly storage: StorageName
  readonly clients: number
  readonly batch: number
  readonly stores: number
  /** What the clients of our server speak. @default our protocol */
  readonly protocol?: "stock"
}

/** Connections that insert at the same time: more don't make a database faster on a few cores. SQLite has one writer. */
const maxConnections = { postgres: 8, mariadb: 8, sqlite: 1 } satisfies Record<InsertingDatabase, number>

/** What an entry costs, where that is known. */
const perEntry = (measurement: Measurement): Measurement => {
  const cost = (name: string, counter: string, factor: number) =>
    measurement[counter] === undefined ? {} : { [name]: (measurement[counter] * factor) / measurement.value }
  const { "statements/s": _, ...rest } = measurement
  return {
    ...rest,
    ...cost("server CPU ms/entry", "server CPU", 1_000),
    ...cost("database CPU ms/entry", "database CPU", 1_000),
    ...cost("statements/entry", "statements/s", 1)
  }
}

const insertContender = (
  settings: Settings,
  database: InsertingDatabase,
  { batch, clients }: IngestCase,
  seconds: number
): Contender =>
  onStorage(database, (storage) => ({
    role: "limit",
    label: `raw INSERTs of ${batch === 1 ? "a row" : `${batch} rows`}`,
    measure: async () => {
      const { cpuSeconds, flags, url } = storage()
      // It makes the tables.
      await (await startOurs({ ...settings.ours, storage: flags })).stop()
      const connections = Math.min(clients, maxConnections[database])
      const job = { kind: "insert", database, url, connections, batch, seconds } as const
      return perEntry(await runLoad(job, { databaseCpuSeconds: cpuSeconds }))
    }
  }))

/** What the storage itself takes, by what our server uses of it. */
const limitOf = (settings: Settings, it: IngestCase, seconds: number): ReadonlyArray<Contender> => {
  const { batch, clients, storage } = it
  switch (storage) {
    case "memory":
      return []
    case "redis":
      return [
        onStorage("redis", (redis) => ({
          role: "limit",
          label: "raw pipelined XADDs",
          measure: () => runLoad({ kind: "xadd", url: redis().url, clients, batch, seconds }, {})
        }))
      ]
    default:
      return [insertContender(settings, storage, it, seconds)]
  }
}

/** One case of ingest. */
export const ingestBenchmark = (settings: Settings, it: IngestCase): Benchmark => {
  const { batch, clients, protocol, storage, stores } = it
  const seconds = settings.seconds ?? (settings.quick ? 1 : 3)
  const measure = async (server: Server) => {
    const { protocol, url } = server
    return perEntry(await runLoad({ kind: "write", protocol, url, clients, batch, stores, seconds }, server))
  }
  const inMemory = (role: Role, label: string, start: () => Promise<Server>) =>
    serverContender(role, label, start, measure)
  const ours = serverOn(storage, ["ours", `ours on ${storage}`], measure, ({ flags }) =>
    startOurs({ ...settings.ours, storage: flags, stores, protocol })
  )
  const effectOnPostgres = serverOn("postgres", ["peer", "effect on postgres"], measure, ({ url }) =>
    startEffect({ databaseUrl: url })
  )
  const bareOnPostgres = serverOn("postgres", ["bare", "bare ws with two statements"], measure, ({ url }) =>
    startBare({ databaseUrl: url, stores })
  )
  return {
    name: `${protocol === undefined ? "" : `${protocol}/`}ingest/${storage}/${clients}x${batch}${stores === 1 ? "" : `-into-${stores}`}`,
    unit: "entries/s",
    better: "more",
    rounds: settings.quick ? 1 : 3,
    contenders: [
      ours,
      ...(storage === "memory"
        ? [inMemory("peer", "effect on memory", () => startEffect()), inMemory("limit", "bare ws", () => startBare())]
        : []),
      ...(storage === "postgres" ? [effectOnPostgres] : []),
      // It writes a frame as one row, which is what a write of one entry needs and not that of more.
      ...(storage === "postgres" && batch === 1 ? [bareOnPostgres] : []),
      ...limitOf(settings, it, seconds)
    ]
  }
}

const grid = (
  storage: StorageName,
  clients: ReadonlyArray<number>,
  batches: ReadonlyArray<number>,
  stores: ReadonlyArray<number>
): ReadonlyArray<IngestCase> =>
  clients.flatMap((clients) =>
    batches.flatMap((batch) => stores.map((stores) => ({ storage, clients, batch, stores })))
  )

/** What all storages are compared by: one client; many, into one store and into as many; some with larger batches. */
export const commonCases = (storage: StorageName): ReadonlyArray<IngestCase> => [
  ...grid(storage, [1, 64], [1], [1]),
  ...grid(storage, [16], [10], [1]),
  ...grid(storage, [64], [1], [64])
]

const others = ["memory", "sqlite", "mariadb", "redis"] as const

const corners = (storage: StorageName) => [
  ...grid(storage, [1], [100], [1]),
  ...grid(storage, [256], [1, 100], [1, 64])
]

/** Clients that write batches and wait for their Acks: how many entries a second, and how long an Ack takes. */
export const ingest: Scenario = (settings) => {
  const cases: ReadonlyArray<IngestCase> = settings.quick
    ? [...grid("memory", [64], [1], [1]), ...grid("postgres", [64], [1], [1])]
    : [
        ...grid("postgres", [1, 16, 64, 256], [1, 10, 100], [1, 64]),
        ...others.flatMap((storage) => [...commonCases(storage), ...corners(storage)]),
        ...grid("redis", [64], [10], [1])
      ]
  return cases.map((it) => ingestBenchmark(settings, it))
}

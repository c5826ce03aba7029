import type { Benchmark, Contender, Role } from "../benchmark.ts"
import { startBare } from "../contenders/bare.ts"
import { startEffect } from "../contenders/effect.ts"
import { startOurs } from "../contenders/ours.ts"
import type { Server } from "../contenders/server.ts"
import type { StorageName } from "../contenders/storages.ts"
import { noServer, runLoad } from "../loads.ts"
import { onStorage, type Scenario, type Settings, serverContender } from "./scenario.ts"

/** What is written, and where. */
export interface IngestCase {
  readonly storage: StorageName
  readonly clients: number
  readonly batch: number
  readonly stores: number
  /** What the clients of our server speak. @default our protocol */
  readonly protocol?: "stock"
}

/** Connections that insert at the same time: more don't make PostgreSQL faster on a few cores. */
const maxConnections = 8

/** What the storage itself takes, by what our server uses of it. */
const limitOf = (
  settings: Settings,
  { batch, clients, storage }: IngestCase,
  seconds: number
): Contender | undefined => {
  const on = (label: string, measure: Contender["measure"]): Contender => ({ role: "limit", label, measure })
  switch (storage) {
    case "memory":
      return undefined
    case "postgres":
      return onStorage("postgres", (database) =>
        on("raw multi-row INSERTs", async () => {
          const { flags, url } = database()
          // It makes the tables.
          await (await startOurs({ ...settings.ours, storage: flags })).stop()
          const connections = Math.min(clients, maxConnections)
          return runLoad({ kind: "insert", url, connections, batch, seconds }, noServer)
        })
      )
    case "redis":
      return onStorage("redis", (redis) =>
        on("raw pipelined XADDs", () => runLoad({ kind: "xadd", url: redis().url, clients, batch, seconds }, noServer))
      )
    default:
      return undefined
  }
}

/** One case of ingest. */
export const ingestBenchmark = (settings: Settings, it: IngestCase): Benchmark => {
  const { batch, clients, protocol, storage, stores } = it
  const seconds = settings.seconds ?? (settings.quick ? 1 : 3)
  const measure = (server: Server) =>
    runLoad({ kind: "write", protocol: server.protocol, url: server.url, clients, batch, stores, seconds }, server)
  const server = (role: Role, label: string, start: () => Promise<Server>) =>
    serverContender(role, label, start, measure)
  const ours = onStorage(storage, (open) =>
    server("ours", `ours on ${storage}`, () => startOurs({ ...settings.ours, storage: open().flags, stores, protocol }))
  )
  const effectOnPostgres = onStorage("postgres", (open) =>
    server("peer", "effect on postgres", () => startEffect({ databaseUrl: open().url }))
  )
  const limit = limitOf(settings, it, seconds)
  return {
    name: `${protocol === undefined ? "" : `${protocol}/`}ingest/${storage}/${clients}x${batch}${stores === 1 ? "" : `-into-${stores}`}`,
    unit: "entries/s",
    better: "more",
    rounds: settings.quick ? 1 : 3,
    contenders: [
      ours,
      ...(storage === "memory"
        ? [server("peer", "effect on memory", () => startEffect()), server("limit", "bare ws", () => startBare())]
        : []),
      ...(storage === "postgres" ? [effectOnPostgres] : []),
      ...(limit === undefined ? [] : [limit])
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

/** Clients that write batches and wait for their Acks: how many entries a second, and how long an Ack takes. */
export const ingest: Scenario = (settings) => {
  const corners = (storage: StorageName) => grid(storage, [1, 256], [1, 100], [1, 64])
  const cases: ReadonlyArray<IngestCase> = settings.quick
    ? [...grid("memory", [64], [1], [1]), ...grid("postgres", [64], [1], [1])]
    : [
        ...grid("postgres", [1, 16, 64, 256], [1, 10, 100], [1, 64]),
        ...(["memory", "sqlite", "mariadb", "redis"] as const).flatMap(corners),
        ...grid("redis", [64], [10], [1])
      ]
  return cases.map((it) => ingestBenchmark(settings, it))
}

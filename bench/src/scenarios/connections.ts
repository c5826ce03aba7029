import type { Benchmark, Measurement } from "../benchmark.ts"
import { startBare } from "../contenders/bare.ts"
import { startEffect } from "../contenders/effect.ts"
import { startOurs } from "../contenders/ours.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
import { type Scenario, type Settings, serverOn } from "./scenario.ts"

/** What most servers of local-first apps look like: many connections, few of which write at any moment. */
interface Case {
  /** Each has a store of its own. */
  readonly connections: number
  /** Writes of an entry, a second. */
  readonly rate: number
}

const measureOn = async (server: Server, { connections, rate }: Case, seconds: number): Promise<Measurement> => {
  const { protocol, url } = server
  const spread = { clients: connections, stores: connections, batch: 1, rate }
  const { value, ...measured } = await runLoad({ kind: "write", protocol, url, seconds, ...spread }, server)
  const { "server CPU": node = 0, "database CPU": database = 0, "statements/s": statements = 0, ...rest } = measured
  return {
    value: ((node + database) * 1_000) / value,
    ...rest,
    "server CPU ms/write": (node * 1_000) / value,
    "database CPU ms/write": (database * 1_000) / value,
    "statements/entry": statements / value,
    "writes/s": value
  }
}

const makeBenchmark = (settings: Settings, it: Case): Benchmark => {
  const { connections: stores } = it
  const measure = (server: Server) => measureOn(server, it, settings.seconds ?? 8)
  return {
    name: `connections/postgres/${it.connections}-at-${it.rate}`,
    unit: "CPU ms a write",
    better: "less",
    rounds: 3,
    contenders: [
      serverOn("postgres", ["ours", "ours on postgres"], measure, ({ flags }) =>
        startOurs({ ...settings.ours, storage: flags, stores })
      ),
      serverOn("postgres", ["peer", "effect on postgres"], measure, ({ url }) => startEffect({ databaseUrl: url })),
      serverOn("postgres", ["bare", "bare ws with two statements"], measure, ({ url }) =>
        startBare({ databaseUrl: url, stores })
      )
    ]
  }
}

/** Many connections that each write now and then, to a store of their own: what a write costs, and how long its Ack takes. */
export const connections: Scenario = (settings) =>
  settings.quick ? [] : [makeBenchmark(settings, { connections: 2_000, rate: 250 })]

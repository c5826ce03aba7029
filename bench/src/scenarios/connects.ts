import type { Benchmark, Measurement } from "../benchmark.ts"
import { startOurs } from "../contenders/ours.ts"
import type { Server } from "../contenders/server.ts"
import type { StorageName } from "../contenders/storages.ts"
import { runLoad } from "../loads.ts"
import { type Scenario, type Settings, serverOn } from "./scenario.ts"

/** Connections that are opened at the same time. */
const concurrency = 50

const measureOn = async (server: Server, connections: number): Promise<Measurement> => {
  const { protocol, url } = server
  const { value, ...measured } = await runLoad({ kind: "connect", protocol, url, connections, concurrency }, server)
  const { "server CPU": node = 0, "database CPU": database = 0, "statements/s": statements, ...rest } = measured
  return {
    value: (node * 1_000) / value,
    ...rest,
    "database CPU ms each": (database * 1_000) / value,
    ...(statements === undefined ? {} : { "statements each": statements / value }),
    "connects/s": value,
    "connects/s and core": value / node
  }
}

const makeBenchmark = (settings: Settings, storage: StorageName, connections: number): Benchmark => ({
  name: `connects/${storage}/${connections}`,
  unit: "CPU ms each",
  better: "less",
  rounds: settings.quick ? 1 : 3,
  contenders: [
    serverOn(
      storage,
      ["ours", `ours on ${storage}`],
      (server) => measureOn(server, connections),
      ({ flags }) => startOurs({ ...settings.ours, storage: flags, stores: connections })
    )
  ]
})

/** Devices that come back after a deploy, each with a key and a store of its own: the server's CPU for one of them. */
export const connects: Scenario = (settings) =>
  settings.quick
    ? [makeBenchmark(settings, "memory", 500)]
    : [makeBenchmark(settings, "memory", 2_000), makeBenchmark(settings, "postgres", 2_000)]

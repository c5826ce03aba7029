import { setTimeout as sleep } from "node:timers/promises"
import type { Benchmark, Measurement } from "../benchmark.ts"
import { startBare } from "../contenders/bare.ts"
import { startEffect } from "../contenders/effect.ts"
import type { Server } from "../contenders/server.ts"
import { startLoad } from "../loads.ts"
import { type Scenario, type Settings, serverContender, startOursInMemory } from "./scenario.ts"

/** Until what the handshakes left behind was collected, as far as it is. */
const settleMillis = 1_000

const measureOn = async (server: Server, connections: number, subscribes: boolean): Promise<Measurement> => {
  const { protocol, url } = server
  const warmUp = await startLoad({ kind: "hold", protocol, url, connections: 100, subscribes }, server)
  warmUp.end()
  await sleep(settleMillis)
  const before = server.memory()
  const { end, measurement } = await startLoad({ kind: "hold", protocol, url, connections, subscribes }, server)
  await sleep(settleMillis)
  const value = (server.memory() - before) / connections
  end()
  return { ...measurement, value, "connections/s": measurement.value }
}

const makeBenchmark = (settings: Settings, connections: number, subscribes: boolean): Benchmark => {
  const measure = (server: Server) => measureOn(server, connections, subscribes)
  return {
    name: `idle/${subscribes ? "subscription" : "connection"}/${connections}`,
    unit: "bytes each",
    better: "less",
    rounds: settings.quick ? 1 : 3,
    contenders: [
      serverContender("ours", "ours on memory", () => startOursInMemory(settings), measure),
      serverContender("peer", "effect on memory", () => startEffect(), measure),
      serverContender("limit", "bare ws", () => startBare(), measure)
    ]
  }
}

/** Connections that proved a key and do nothing, without and with a subscription: the memory of each. */
export const idle: Scenario = (settings) => {
  const connections = settings.quick ? 1_000 : 10_000
  return (settings.quick ? [false] : [false, true]).map((subscribes) =>
    makeBenchmark(settings, connections, subscribes)
  )
}

import type { Benchmark, Measurement } from "../benchmark.ts"
import { startBare } from "../contenders/bare.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
import { type Scenario, type Settings, serverContender, startOursInMemory } from "./scenario.ts"

interface Case {
  readonly subscribers: number
  /** Writes of one entry, a second. */
  readonly rate: number
}

const measureOn = async (server: Server, it: Case, seconds: number): Promise<Measurement> => {
  const { protocol, url } = server
  const { value, ...rest } = await runLoad(
    { kind: "fanout", protocol, url, ...it, stores: 1, batch: 1, seconds },
    server
  )
  return { value: rest["p99 ms"]!, ...rest, "entries/s": value }
}

const makeBenchmark = (settings: Settings, it: Case): Benchmark => {
  const seconds = settings.seconds ?? (settings.quick ? 2 : 15)
  const measure = (server: Server) => measureOn(server, it, seconds)
  return {
    name: `delivery/${it.subscribers}-at-${it.rate}`,
    unit: "ms (p99)",
    better: "less",
    rounds: settings.quick ? 1 : 3,
    contenders: [
      serverContender("ours", "ours on memory", () => startOursInMemory(settings), measure),
      serverContender("limit", "bare ws", () => startBare(), measure)
    ]
  }
}

/** How late many subscribers get what is written now and then, far below what goes: a write, and nothing until the next. */
export const delivery: Scenario = (settings) =>
  (settings.quick ? [100] : [1_000, 2_000, 5_000]).map((subscribers) =>
    makeBenchmark(settings, { subscribers, rate: 10 })
  )

import type { Benchmark } from "../benchmark.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
import { writeHistory } from "./history.ts"
import { type Scenario, type Settings, serverContender, startOursInMemory } from "./scenario.ts"

type Kind = "ingest" | "delivery"

const measureOn = async (server: Server, kind: Kind, stored: number, seconds: number) => {
  const { protocol, url } = server
  await writeHistory(server, { entries: stored })
  return kind === "ingest"
    ? runLoad({ kind: "write", protocol, url, clients: 16, batch: 10, stores: 1, seconds }, server)
    : runLoad(
        { kind: "fanout", protocol, url, subscribers: 20, stores: 1, batch: 10, seconds, from: stored + 1 },
        server
      )
}

const makeBenchmark = (settings: Settings, kind: Kind, few: number, many: number): Benchmark => {
  const on = (role: "ours" | "limit", stored: number) =>
    serverContender(
      role,
      `ours with ${stored} entries stored`,
      () => startOursInMemory(settings),
      (server) => measureOn(server, kind, stored, settings.seconds ?? (settings.quick ? 1 : 4))
    )
  return {
    name: `growth/${kind}/${many}`,
    unit: "entries/s",
    better: "more",
    rounds: settings.quick ? 1 : 3,
    contenders: [on("ours", many), on("limit", few)]
  }
}

/** Ingest and live delivery on a store that has much history already, beside one that has little. */
export const growth: Scenario = (settings) => {
  const few = 10_000
  const sizes = settings.quick ? [30_000] : [100_000, 1_000_000]
  const kinds: ReadonlyArray<Kind> = settings.quick ? ["delivery"] : ["ingest", "delivery"]
  return kinds.flatMap((kind) => sizes.map((many) => makeBenchmark(settings, kind, few, many)))
}

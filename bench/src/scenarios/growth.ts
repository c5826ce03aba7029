import type { Benchmark } from "../benchmark.ts"
import { startOurs } from "../contenders/ours.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
import { writeHistory } from "./history.ts"
import { onStorage, type Scenario, type Settings, serverContender } from "./scenario.ts"

type Kind = "ingest" | "delivery"

interface GrowthCase {
  readonly storage: "memory" | "postgres"
  readonly kind: Kind
  /** Entries that are stored before. */
  readonly many: number
}

/** The entries stored in the store that it is compared with. */
const few = 10_000

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

const makeBenchmark = (settings: Settings, { kind, many, storage }: GrowthCase): Benchmark => {
  const seconds = settings.seconds ?? (settings.quick ? 1 : 4)
  const on = (role: "ours" | "limit", stored: number) =>
    onStorage(storage, (open) =>
      serverContender(
        role,
        `ours on ${storage} with ${stored} entries stored`,
        () => startOurs({ ...settings.ours, storage: open().flags }),
        (server) => measureOn(server, kind, stored, seconds)
      )
    )
  return {
    name: `growth/${storage}/${kind}/${many}`,
    unit: "entries/s",
    better: "more",
    rounds: settings.quick ? 1 : 3,
    contenders: [on("ours", many), on("limit", few)]
  }
}

/** Ingest and live delivery on a store that has much history already, beside one that has little. */
export const growth: Scenario = (settings) => {
  const cases: ReadonlyArray<GrowthCase> = settings.quick
    ? [{ storage: "memory", kind: "delivery", many: 30_000 }]
    : (["memory", "postgres"] as const).flatMap((storage) =>
        (["ingest", "delivery"] as const).flatMap((kind) =>
          [100_000, 1_000_000].map((many) => ({ storage, kind, many }))
        )
      )
  return cases.map((it) => makeBenchmark(settings, it))
}

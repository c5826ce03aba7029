import { fanoutBenchmark } from "./fanout.ts"
import { ingestBenchmark } from "./ingest.ts"
import type { Scenario } from "./scenario.ts"

/** Clients that speak the protocol of effect's own ones, to our server as to effect's. */
export const stock: Scenario = (settings) => [
  ...(["memory", "postgres"] as const).map((storage) =>
    ingestBenchmark(settings, { storage, clients: 16, batch: 10, stores: 1, protocol: "stock" })
  ),
  ...(settings.quick ? [100] : [20, 100, 500]).map((subscribers) =>
    fanoutBenchmark(settings, { subscribers, stores: 1, seconds: settings.quick ? 2 : 4, protocol: "stock" })
  )
]

import { fanoutBenchmark } from "./fanout.ts"
import { commonCases, ingestBenchmark } from "./ingest.ts"
import type { Scenario } from "./scenario.ts"

/** Clients that speak the protocol of effect's own ones, to our server as to effect's. Nothing of it is quick. */
export const stock: Scenario = (settings) =>
  settings.quick
    ? []
    : [
        ...(["memory", "postgres"] as const).flatMap((storage) =>
          commonCases(storage).map((it) => ingestBenchmark(settings, { ...it, protocol: "stock" }))
        ),
        ...[20, 100, 500].map((subscribers) =>
          fanoutBenchmark(settings, { subscribers, stores: 1, seconds: 4, protocol: "stock" })
        )
      ]

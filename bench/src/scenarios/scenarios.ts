import { bootstrap } from "./bootstrap.ts"
import { connections } from "./connections.ts"
import { delivery } from "./delivery.ts"
import { fanout } from "./fanout.ts"
import { growth } from "./growth.ts"
import { idle } from "./idle.ts"
import { ingest } from "./ingest.ts"
import { longHistory } from "./longHistory.ts"
import { micro } from "./micro.ts"
import { nodes } from "./nodes.ts"
import type { Scenario } from "./scenario.ts"
import { stock } from "./stock.ts"
import { storm } from "./storm.ts"

/** Everything that is measured, in the order of the report. */
export const scenarios: ReadonlyArray<Scenario> = [
  ...[ingest, connections, fanout, delivery, nodes, stock],
  ...[bootstrap, longHistory, storm, idle, growth, micro]
]

import { bootstrap } from "./bootstrap.ts"
import { connections } from "./connections.ts"
import { connects } from "./connects.ts"
import { fanout } from "./fanout.ts"
import { growth } from "./growth.ts"
import { idle } from "./idle.ts"
import { ingest } from "./ingest.ts"
import { micro } from "./micro.ts"
import { nodes } from "./nodes.ts"
import type { Scenario } from "./scenario.ts"
import { stock } from "./stock.ts"

/** Everything that is measured, in the order of the report. */
export const scenarios: ReadonlyArray<Scenario> = [
  ...[ingest, connections, connects, fanout, nodes, stock],
  ...[bootstrap, idle, growth, micro]
]

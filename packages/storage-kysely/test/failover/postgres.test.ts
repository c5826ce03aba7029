import { ownPostgresMissing } from "@eventlog-server/testkit/databases"
import { lossLaw, losslessLaw } from "@eventlog-server/testkit/failover"
import { openReplicatedPostgres } from "./replicatedPostgres.ts"

const missing = ownPostgresMissing()

losslessLaw("PostgreSQL with a synchronous replica", {
  ...{ missing, nodes: 2 },
  open: () => openReplicatedPostgres("synchronous")
})

lossLaw("PostgreSQL with a replica that lags behind", {
  ...{ missing, nodes: 2 },
  open: () => openReplicatedPostgres("asynchronous")
})

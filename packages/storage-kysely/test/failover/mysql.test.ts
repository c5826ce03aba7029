import { ownMysqlMissing } from "@eventlog-server/testkit/databases"
import { lossLaw } from "@eventlog-server/testkit/failover"
import { openReplicatedMariadb } from "./replicatedMariadb.ts"

lossLaw("MariaDB with a replica that lags behind", {
  missing: ownMysqlMissing(),
  nodes: 2,
  open: openReplicatedMariadb
})

import { redisMissing } from "@eventlog-server/testkit/databases"
import { lossLaw } from "@eventlog-server/testkit/failover"
import { openReplicatedRedis } from "./replicatedRedis.ts"

lossLaw("Redis with a replica that lags behind", { missing: redisMissing(), nodes: 2, open: openReplicatedRedis })

import { lossLaw } from "@eventlog-server/testkit/failover"
import { openReplacedSqlite } from "./replacedSqlite.ts"

lossLaw("SQLite, its file replaced by a backup", { nodes: 1, open: openReplacedSqlite })

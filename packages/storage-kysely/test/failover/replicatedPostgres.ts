import { PostgresReplica, startPostgres } from "@eventlog-server/testkit/databases"
import type { ForgetfulStorage } from "@eventlog-server/testkit/failover"
import { TcpProxy, targetOf } from "@eventlog-server/testkit/network"
import { Client } from "pg"
import { onTestFinished } from "vitest"
import { ensureSchema, kyselyBackend } from "../../src/index.ts"
import { openPostgres } from "../databases/postgres.ts"

const tables = { dialect: "postgres", schema: "eventlog" } as const

const open = (connectionString: string) => {
  const db = openPostgres({ connectionString })
  onTestFinished(() => db.destroy())
  return db
}

/** A primary whose replica takes its place, and lags behind if it is told to. */
export const openReplicatedPostgres = async (kind: "synchronous" | "asynchronous"): Promise<ForgetfulStorage> => {
  const primary = await startPostgres()
  onTestFinished(primary.remove)
  const replica = await PostgresReplica.start(primary)
  onTestFinished(replica.remove)
  const proxy = await TcpProxy.open(targetOf(primary.url))
  onTestFinished(proxy.close)
  if (kind === "synchronous") await replica.beSynchronous()
  const connectionString = proxy.through(primary.url)
  await ensureSchema(open(connectionString), tables)
  const listen = () => new Client({ connectionString })
  return {
    openBackend: () => kyselyBackend({ ...tables, db: open(connectionString), listen, leaseTime: "5 seconds" }),
    beginLosing: () => replica.freeze(),
    takeOver: async () => {
      await proxy.begin()
      await replica.takeOver()
      proxy.lead(targetOf(replica.database.url))
      await proxy.end()
    }
  }
}

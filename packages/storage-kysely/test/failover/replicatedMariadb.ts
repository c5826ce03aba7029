import { MysqlReplica, startMysqlPrimary } from "@eventlog-server/testkit/databases"
import type { ForgetfulStorage } from "@eventlog-server/testkit/failover"
import { TcpProxy, targetOf } from "@eventlog-server/testkit/network"
import { onTestFinished } from "vitest"
import { ensureSchema, kyselyBackend } from "../../src/index.ts"
import { openMysql } from "../databases/mysql.ts"

const open = (uri: string) => {
  const db = openMysql({ uri })
  onTestFinished(() => db.destroy())
  return db
}

/** A primary whose replica takes its place, and lags behind once it is told to. */
export const openReplicatedMariadb = async (): Promise<ForgetfulStorage> => {
  const primary = await startMysqlPrimary()
  onTestFinished(primary.remove)
  const replica = await MysqlReplica.start(primary)
  onTestFinished(replica.database.remove)
  const proxy = await TcpProxy.open(targetOf(primary.url))
  onTestFinished(proxy.close)
  const uri = proxy.through(primary.url)
  await ensureSchema(open(uri), { dialect: "mysql" })
  return {
    openBackend: () => kyselyBackend({ db: open(uri), dialect: "mysql", leaseTime: "5 seconds" }),
    beginLosing: () => replica.freeze(),
    takeOver: async () => {
      await proxy.begin()
      await replica.takeOver()
      proxy.lead(targetOf(replica.database.url))
      await proxy.end()
    }
  }
}

import { setTimeout as sleep } from "node:timers/promises"
import type { RowDataPacket } from "mysql2/promise"
import { withMysql } from "./mysql.ts"
import type { OwnDatabase } from "./ownDatabase.ts"
import { startMysql } from "./ownMysql.ts"

type Row = Record<string, unknown>

const rowsOf = (url: string, statement: string): Promise<ReadonlyArray<Row>> =>
  withMysql(url, async (connection) => {
    const [rows] = await connection.query<Array<RowDataPacket>>(statement)
    return rows
  })

const start = (serverId: number): Promise<OwnDatabase> =>
  startMysql(`--server-id=${serverId}`, "--log-bin", "--log-slave-updates", "--binlog-format=row")

/** Starts a MariaDB that replicas can follow. */
export const startMysqlPrimary = (): Promise<OwnDatabase> => start(1)

/** A replica that follows a MariaDB, and may take its place. */
export class MysqlReplica {
  readonly database: OwnDatabase
  readonly #primary: OwnDatabase

  private constructor(database: OwnDatabase, primary: OwnDatabase) {
    this.database = database
    this.#primary = primary
  }

  /** Starts a replica, and waits until it follows. */
  static async start(primary: OwnDatabase): Promise<MysqlReplica> {
    const replica = new MysqlReplica(await start(2), primary)
    // The primary's own comes with what else is replicated.
    await replica.#ask("drop database eventlog")
    await replica.#ask(
      `change master to master_host = '127.0.0.1', master_port = ${new URL(primary.url).port},
       master_user = 'root', master_use_gtid = slave_pos`
    )
    await replica.#ask("start slave")
    while ((await replica.#status()).Slave_IO_Running !== "Yes") await sleep(20)
    return replica
  }

  /** Lets it have what was committed so far, and nothing of what comes. */
  async freeze(): Promise<void> {
    const [now] = await rowsOf(this.#primary.url, "select @@gtid_binlog_pos as position")
    await this.#ask(`select master_gtid_wait('${now!.position}')`)
    await this.#ask("stop slave io_thread")
  }

  /** The primary crashes, and the replica takes its place. */
  async takeOver(): Promise<void> {
    await this.#primary.process.crash()
    const { Gtid_IO_Pos: received } = await this.#status()
    await this.#ask(`select master_gtid_wait('${received}')`)
    await this.#ask("stop slave")
    await this.#ask("reset slave all")
  }

  async #status(): Promise<Row> {
    const [status] = await this.#ask("show slave status")
    return status!
  }

  #ask(statement: string): Promise<ReadonlyArray<Row>> {
    // Its own database is another one's by and by.
    return rowsOf(Object.assign(new URL(this.database.url), { pathname: "/mysql" }).href, statement)
  }
}

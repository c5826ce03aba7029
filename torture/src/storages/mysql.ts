import { startMysql, withMysql } from "@eventlog-server/testkit/databases"
import type { Connection, RowDataPacket } from "mysql2/promise"
import type { OpenStorage } from "./storage.ts"
import { crash } from "./troubles.ts"

/** Ends every connection but the one that asks. */
const killOthers = async (connection: Connection): Promise<void> => {
  const [rows] = await connection.query<Array<RowDataPacket & { readonly id: number }>>(
    "select id from information_schema.processlist where id <> connection_id() and user = 'root'"
  )
  for (const { id } of rows) {
    // One that ended meanwhile is gone as well.
    await connection.query(`kill ${id}`).catch(ignore)
  }
}

/** A MariaDB of its own. */
export const openMysql: OpenStorage = async () => {
  const { process, remove, url } = await startMysql()
  return {
    address: url,
    isDurable: true,
    faults: [
      { name: "MariaDB killed", weight: 1.5, excuses: true, run: (force) => crash(process, force * 2_000) },
      {
        name: "MariaDB connections killed",
        weight: 3,
        excuses: true,
        run: () => withMysql(url, killOthers).catch(ignore)
      }
    ],
    close: remove
  }
}

const ignore = () => {}

import { setTimeout as sleep } from "node:timers/promises"
import type { DatabaseProcess } from "@eventlog-server/testkit/databases"

/** Crashes a database, leaves it dead for a while and starts it again. */
export const crash = async (database: DatabaseProcess, downMillis: number): Promise<void> => {
  await database.end("SIGKILL")
  await sleep(downMillis)
  await database.start()
}

/** Lets a database say nothing for a while, while its connections stay. */
export const freeze = async (database: DatabaseProcess, millis: number): Promise<void> => {
  database.pause()
  await sleep(millis)
  database.resume()
}

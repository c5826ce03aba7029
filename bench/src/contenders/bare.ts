import { startServer } from "../processes.ts"
import type { Server } from "./server.ts"

/** How the bare websocket server is run. */
export interface BareOptions {
  /** Whether it keeps what is written in memory, for new subscribers. @default false */
  readonly keeps?: boolean
  /** Stores that exist in the database. @default 1 */
  readonly stores?: number
  /** A PostgreSQL database of its own, which it writes to. @default none */
  readonly databaseUrl?: string
}

/** Starts the bare websocket server. */
export const startBare = async ({ databaseUrl, keeps = false, stores = 1 }: BareOptions = {}): Promise<Server> => {
  const database = databaseUrl === undefined ? [] : ["--database", databaseUrl, "--stores", String(stores)]
  const args = [...(keeps ? ["--keep"] : []), ...database]
  return { ...(await startServer(new URL("bareServer.ts", import.meta.url), args, { databaseUrl })), protocol: "bare" }
}

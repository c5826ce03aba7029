import { startServer } from "../processes.ts"
import type { Server } from "./server.ts"

/** What a bare reader reads of a store: every entry in pages, or the last entry of each bucket. */
export type BareReading = "pages" | "lasts"

/** Starts a bare websocket server that reads histories from the tables of our server. */
export const startBareReader = async (databaseUrl: string, reading: BareReading): Promise<Server> => {
  const args = ["--database", databaseUrl, "--read", reading]
  return { ...(await startServer(new URL("bareReaderServer.ts", import.meta.url), args)), protocol: "bare" }
}

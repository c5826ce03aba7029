import { startServer } from "../processes.ts"
import type { Server } from "./server.ts"

/** Starts the bare websocket server. @param keeps whether it keeps what is written, for new subscribers */
export const startBare = async (keeps = false): Promise<Server> => ({
  ...(await startServer(new URL("bareServer.ts", import.meta.url), keeps ? ["--keep"] : [])),
  protocol: "bare"
})

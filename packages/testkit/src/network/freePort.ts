import { once } from "node:events"
import { createServer } from "node:net"

/** Below those that systems give to outgoing connections: one of these could take a port while its server restarts. */
const range = { from: 10_000, to: 32_000 }

/** A port that nobody listens on, for a server that may stop and come back to it. */
export const freePort = async (): Promise<number> => {
  const port = range.from + Math.floor(Math.random() * (range.to - range.from))
  const server = createServer().listen(port, "127.0.0.1")
  try {
    await once(server, "listening")
  } catch {
    return freePort()
  }
  server.close()
  await once(server, "close")
  return port
}

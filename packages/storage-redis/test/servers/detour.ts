import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** A port that leads to one server, and later to another. */
export interface Detour {
  readonly url: string
  /** Leads to another port from now on. Connections to the old one end. */
  readonly lead: (port: number) => void
  readonly stop: () => Promise<void>
}

/** Opens a port that leads to another one. */
export const openDetour = async (target: number): Promise<Detour> => {
  const sockets = new Set<Socket>()
  const end = () => {
    for (const socket of sockets) socket.destroy()
  }
  let to = target
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1")
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far).pipe(near)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lead: (port) => {
      to = port
      end()
    },
    stop: async () => {
      end()
      server.close()
      await once(server, "close")
    }
  }
}

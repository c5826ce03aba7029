import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import type { Outage } from "@eventlog-server/core/conformance"

/** A way to a server that can be cut off. */
export interface Proxy extends Outage {
  readonly port: number
  /** The next request with a text arrives, and its answer is lost together with the connection. */
  readonly loseAnswerTo: (text: string) => void
  readonly close: () => Promise<void>
}

/** Passes on what comes in on a free port, until the way is cut: then it drops what is open and refuses what is new. */
export const openProxy = async (host: string, port: number): Promise<Proxy> => {
  const sockets = new Set<Socket>()
  let isCut = false
  let unanswered: string | undefined
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.pipe(to)
    from.on("error", () => {})
    from.on("close", () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer((client) => {
    if (isCut) return client.destroy()
    const upstream = connect(port, host)
    pass(client, upstream)
    client.on("data", (chunk) => {
      if (unanswered === undefined || !chunk.includes(unanswered)) return
      unanswered = undefined
      upstream.unpipe(client)
      upstream.on("data", () => client.destroy())
      upstream.resume()
    })
    pass(upstream, client)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    loseAnswerTo: (text) => {
      unanswered = text
    },
    begin: async () => {
      isCut = true
      cut()
    },
    end: async () => {
      isCut = false
    },
    close: async () => {
      cut()
      server.close()
      await once(server, "close")
    }
  }
}

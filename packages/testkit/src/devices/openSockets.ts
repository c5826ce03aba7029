import { once } from "node:events"
import type { AddressInfo } from "node:net"
import type { Mountable } from "@eventlog-server/core/adapter"
import { type WebSocket, WebSocketServer } from "ws"

/** A port where websockets lead to a server. */
export interface Sockets {
  readonly url: string
  readonly count: () => number
  /** Cuts what is connected, without a closing handshake. */
  readonly cut: () => void
  readonly close: () => Promise<void>
}

const principalOf = (path: string) => new URL(path, "ws://localhost").searchParams.get("principal") ?? undefined

const connect = (server: Pick<Mountable, "connect">, socket: WebSocket, path: string, remoteAddress?: string) => {
  const listener = server.connect(
    {
      send: (frame) => socket.send(frame),
      bufferedBytes: () => socket.bufferedAmount,
      close: (code, reason) => socket.close(code, reason),
      terminate: () => socket.terminate(),
      pause: () => socket.pause(),
      resume: () => socket.resume()
    },
    { remoteAddress, headers: {}, principal: principalOf(path) },
    path.startsWith("/rpc") ? "rpc" : "eventlog"
  )
  socket.on("message", (data: Buffer, isBinary) => listener.receive(isBinary ? new Uint8Array(data) : String(data)))
  socket.on("close", () => listener.closed())
  socket.on("error", () => {})
}

/**
 * Opens a port on loopback without any framework between the websockets and a server: effect's RPC is at `/rpc`, and
 * `?principal=` says who is logged in.
 *
 * @param target asked for each connection; `undefined` hangs up
 */
export const openSockets = async (target: () => Pick<Mountable, "connect"> | undefined): Promise<Sockets> => {
  const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false })
  sockets.on("connection", (socket, request) => {
    const server = target()
    if (server === undefined) return socket.terminate()
    connect(server, socket, request.url ?? "/", request.socket.remoteAddress)
  })
  await once(sockets, "listening")
  const cut = () => {
    for (const socket of sockets.clients) socket.terminate()
  }
  return {
    url: `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}`,
    count: () => sockets.clients.size,
    cut,
    close: async () => {
      cut()
      sockets.close()
      await once(sockets, "close")
    }
  }
}

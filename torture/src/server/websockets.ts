import type { IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import type { Mountable } from "@eventlog-server/core/adapter"
import { type WebSocket, WebSocketServer } from "ws"

/** What a device's address says: the protocol, and the store for `enroll`. */
const addressed = ({ url = "/" }: IncomingMessage) => {
  const { pathname, searchParams } = new URL(url, "ws://localhost")
  return {
    protocol: pathname === "/rpc" ? ("rpc" as const) : ("eventlog" as const),
    principal: searchParams.get("store") ?? undefined
  }
}

const serve = (mounted: Mountable, socket: WebSocket, request: IncomingMessage): void => {
  const { principal, protocol } = addressed(request)
  const listener = mounted.connect(
    {
      send: (frame) => socket.send(frame),
      bufferedBytes: () => socket.bufferedAmount,
      close: (code, reason) => socket.close(code, reason)
    },
    { remoteAddress: request.socket.remoteAddress, headers: {}, principal },
    protocol
  )
  socket.on("message", (data: Buffer, isBinary) => listener.receive(isBinary ? new Uint8Array(data) : String(data)))
  socket.on("close", () => listener.closed())
  socket.on("error", () => {})
}

/** Serves websockets on a port of loopback, by whichever server is mounted at the moment. */
export const openWebSockets = async (port: number, mounted: () => Mountable) => {
  const sockets = new WebSocketServer({
    host: "127.0.0.1",
    port,
    perMessageDeflate: false,
    maxPayload: mounted().limits.maxFrameBytes
  })
  sockets.on("connection", (socket, request) => serve(mounted(), socket, request))
  await new Promise((resolve, reject) => {
    sockets.once("listening", resolve)
    sockets.once("error", reject)
  })
  return {
    port: (sockets.address() as AddressInfo).port,
    close: (): void => {
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
    }
  }
}

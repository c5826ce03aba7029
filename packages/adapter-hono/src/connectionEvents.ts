import type { ConnectionInfo } from "@eventlog-server/core"
import type { Mountable, ProtocolName, Transport, TransportListener } from "@eventlog-server/core/adapter"
import type { WSContext, WSEvents } from "hono/ws"
import { bunBufferedBytes, bunSending } from "./runtimes/bun.ts"
import type { RawSocket } from "./runtimes/RawSocket.ts"

const bufferedBytesOf = (raw: RawSocket): Transport["bufferedBytes"] =>
  raw.bufferedAmount === undefined ? bunBufferedBytes(raw) : () => raw.bufferedAmount ?? 0

const pausingOf = (ws: WSContext, raw: RawSocket): Pick<Transport, "pause" | "resume"> => {
  if (raw.pause === undefined || raw.resume === undefined) return {}
  return {
    pause: () => {
      if (ws.readyState === 1) raw.pause?.()
    },
    resume: () => raw.resume?.()
  }
}

const sendingOf = (ws: WSContext, raw: RawSocket): Transport["send"] =>
  bunSending(ws, raw) ?? ((frame) => ws.send(frame as Uint8Array<ArrayBuffer>))

const openTransport = (ws: WSContext): Transport => {
  const raw: RawSocket = ws.raw ?? {}
  if (raw.binaryType === "blob") raw.binaryType = "arraybuffer"
  const pausing = pausingOf(ws, raw)
  const send = sendingOf(ws, raw)
  return {
    send: (frame) => {
      if (ws.readyState === 1) send(frame)
    },
    bufferedBytes: bufferedBytesOf(raw),
    close: (code, reason) => {
      ws.close(code, reason)
      // From here on the socket is read for the peer's answer.
      pausing.resume?.()
    },
    terminate: raw.terminate && (() => raw.terminate?.()),
    ...pausing
  }
}

/** Translates one websocket of Hono into a connection of the server. */
export const connectionEvents = (server: Mountable, info: ConnectionInfo, protocol: ProtocolName): WSEvents => {
  let listener: TransportListener | undefined
  let reading: Promise<void> | undefined
  // Not every runtime has `onOpen`: there the client's first frame opens the connection.
  const open = (ws: WSContext): TransportListener => {
    listener ??= server.connect(openTransport(ws), info, protocol)
    return listener
  }
  return {
    onOpen: (_, ws) => void open(ws),
    onMessage: ({ data }, ws) => {
      const connection = open(ws)
      const receive = (frame: string | ArrayBufferLike): void =>
        connection.receive(typeof frame === "string" ? frame : new Uint8Array(frame))
      if (reading === undefined && !(data instanceof Blob)) return receive(data)
      // A frame that came as a Blob, before the socket was told otherwise, must not be overtaken.
      reading = Promise.all([data instanceof Blob ? data.arrayBuffer() : data, reading]).then(([it]) => receive(it))
    },
    onClose: () => listener?.closed()
  }
}

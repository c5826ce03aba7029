import { once } from "node:events"
import {
  decodeResponseUnencrypted,
  encodeRequestUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "@eventlog-server/core/protocol"
import { Result } from "effect"
import { WebSocket } from "ws"

type Tag = ProtocolResponseUnencrypted["_tag"]

/** A bare websocket that speaks the protocol, to see what the server itself says. */
export const connectDevice = async (url: string, headers: Readonly<Record<string, string>> = {}) => {
  const socket = new WebSocket(url.replace(/^http/, "ws"), "eventlog.v1", { headers: { ...headers } })
  socket.binaryType = "nodebuffer"
  const received: Array<ProtocolResponseUnencrypted> = []
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const check of waiting) check()
  }
  socket.on("message", (frame: Buffer) => {
    const message = Result.getOrThrow(decodeResponseUnencrypted(frame))
    if (message._tag === "Ping") return socket.send(encodeRequestUnencrypted({ _tag: "Pong", id: message.id }))
    received.push(message)
    wake()
  })
  // One that is reset closes too.
  socket.on("error", () => {})
  const closed = new Promise<number>((resolve) => socket.once("close", resolve))
  await once(socket, "open")

  const next = <T extends Tag>(...tags: ReadonlyArray<T>) =>
    new Promise<Extract<ProtocolResponseUnencrypted, { readonly _tag: T }>>((resolve, reject) => {
      closed.then((code) => reject(new Error(`Closed with ${code} before ${tags.join(" or ")}`)))
      const check = () => {
        const index = received.findIndex(({ _tag }) => (tags as ReadonlyArray<Tag>).includes(_tag))
        if (index === -1) return
        waiting.delete(check)
        resolve(received.splice(0, index + 1)[index] as Extract<ProtocolResponseUnencrypted, { readonly _tag: T }>)
      }
      waiting.add(check)
      check()
    })

  return {
    closed,
    close: () => socket.close(),
    send: (message: ProtocolRequestUnencrypted) => socket.send(encodeRequestUnencrypted(message)),
    /** Takes the next message with this tag, and drops those before it. */
    next: <T extends Tag>(tag: T) => next(tag),
    /** Takes the next message with one of two tags, and drops those before it. */
    either: <T extends Tag>(one: T, other: T) => next(one, other)
  }
}

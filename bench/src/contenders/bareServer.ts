/**
 * The least that a websocket server can do for the same bytes: it passes every frame on to the subscribers of its store,
 * and answers the writer. With `--keep` it also keeps the frames, and sends them to a new subscriber in a loop. With
 * `--database URL --stores N` it writes each frame to PostgreSQL before.
 */
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { parseArgs } from "node:util"
import { type WebSocket, WebSocketServer } from "ws"
import { publicKeyOf } from "../load/device.ts"
import { openBareDatabase } from "./bareDatabase.ts"
import { sendGated } from "./sendGated.ts"

interface Store {
  readonly publicKey: string
  readonly subscribers: Set<WebSocket>
  readonly frames: Array<Buffer>
}

const {
  database,
  keep,
  stores: storeCount
} = parseArgs({
  options: {
    keep: { type: "boolean", default: false },
    database: { type: "string" },
    stores: { type: "string", default: "1" }
  }
}).values
const write = database === undefined ? undefined : await openBareDatabase(database, Number(storeCount))
const stores = new Map<string, Store>()
/** As long as an answer of ours to a batch of 10. */
const acknowledgement = Buffer.alloc(64)

const storeOf = (name: string): Store => {
  const store = stores.get(name) ?? { publicKey: publicKeyOf(name), subscribers: new Set(), frames: [] }
  stores.set(name, store)
  return store
}

const sendHistory = async (socket: WebSocket, frames: ReadonlyArray<Buffer>): Promise<void> => {
  for (const frame of frames) await sendGated(socket, frame)
}

const subscribe = (socket: WebSocket, store: Store): void => {
  store.subscribers.add(socket)
  socket.once("close", () => store.subscribers.delete(socket))
  void sendHistory(socket, store.frames)
}

const publish = (socket: WebSocket, store: Store, frame: Buffer): void => {
  if (keep) store.frames.push(frame)
  for (const subscriber of store.subscribers) subscriber.send(frame)
  socket.send(acknowledgement)
}

const receive = (socket: WebSocket, store: Store, frame: Buffer): void => {
  if (frame.length === 0) subscribe(socket, store)
  else if (write === undefined) publish(socket, store, frame)
  else void write(store.publicKey, frame).then(() => publish(socket, store, frame))
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 1024 * 1024 })
server.on("connection", (socket, request) => {
  const store = storeOf(new URL(request.url!, "http://localhost").searchParams.get("store") ?? "")
  socket.on("message", (frame: Buffer) => receive(socket, store, frame))
})

await once(server, "listening")
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
process.once("SIGTERM", () => process.exit(0))

import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises"
import type { PeerSocket } from "./PeerSocket.ts"

/** Bytes that may wait in this process for one socket. */
const room = 64 * 1024
/** Frames that are sent before others get their turn. */
const burst = 64

/** Sends as much as the server takes, until a time of `performance.now`. Resolves with the number of frames. */
export const pump = async (socket: PeerSocket, next: () => Uint8Array, until: number): Promise<number> => {
  let sent = 0
  while (socket.isOpen && performance.now() < until) {
    for (let count = 0; count < burst && socket.bufferedBytes < room; count++, sent++) socket.send(next())
    await (socket.bufferedBytes < room ? turn() : sleep(2))
  }
  return sent
}

/** Sends frames at a rate, less when the server takes less. Resolves with the number of frames. */
export const drip = async (
  socket: PeerSocket,
  next: () => Uint8Array,
  perSecond: number,
  until: number
): Promise<number> => {
  const from = performance.now()
  let sent = 0
  while (socket.isOpen && performance.now() < until) {
    const due = ((performance.now() - from) * perSecond) / 1_000
    for (; sent < due && socket.bufferedBytes < room; sent++) socket.send(next())
    await sleep(5)
  }
  return sent
}

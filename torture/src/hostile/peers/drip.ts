import { setTimeout as sleep } from "node:timers/promises"
import type { PeerSocket } from "./PeerSocket.ts"

/** Bytes that may wait in this process for one socket. */
const room = 64 * 1024
/** Milliseconds between looks at what is due; what was missed for longer is not made up for. */
const period = 5
const mostMissed = 20

/** Sends frames at a rate, less when the server takes less. Resolves with the number of frames. */
export const drip = async (
  socket: PeerSocket,
  next: () => Uint8Array,
  perSecond: number,
  until: number
): Promise<number> => {
  let sent = 0
  let owed = 0
  let last = performance.now()
  while (socket.isOpen && performance.now() < until) {
    const now = performance.now()
    owed = Math.min(owed, perSecond) + (Math.min(now - last, mostMissed) * perSecond) / 1_000
    last = now
    for (; owed >= 1 && socket.bufferedBytes < room; owed--, sent++) socket.send(next())
    await sleep(period)
  }
  return sent
}

import type { WebSocket } from "ws"

/** Bytes queued to a subscriber above which a loop waits, as in our server. */
const highWaterBytes = 1024 * 1024

/** Sends a frame; resolves at once, or when it is out where much is queued already. */
export const sendGated = async (socket: WebSocket, frame: Uint8Array): Promise<void> => {
  if (socket.bufferedAmount < highWaterBytes) socket.send(frame)
  else await new Promise((resolve) => socket.send(frame, resolve))
}

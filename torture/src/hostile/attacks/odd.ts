import { setTimeout as sleep } from "node:timers/promises"
import { encodeRequestUnencrypted } from "@eventlog-server/core/protocol"
import { EventLogPeer } from "../peers/EventLogPeer.ts"
import { factOf } from "../peers/entries.ts"
import { PeerSocket } from "../peers/PeerSocket.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

/** Milliseconds that anything may take. */
const patience = 8_000

const within = <A>(promise: Promise<A>): Promise<A | undefined> =>
  Promise.race([promise, sleep(patience, undefined, { ref: false })])

/** How a burst of writes ends that a device may well have to send after a while offline. */
const burst = async (url: string): Promise<string> => {
  const peer = new EventLogPeer(url)
  await peer.prove("odd/burst")
  const writes = Array.from({ length: 1_500 }, (_, index) =>
    peer.write("odd/burst", [factOf("Added", `${index}`, "t")])
  )
  const acked = within(Promise.all(writes).then(() => "all acked", String))
  const outcome = (await acked) ?? "no acks"
  peer.socket.cut()
  return outcome
}

/** What a client is told that only speaks a protocol to come. */
const selected = async (url: string): Promise<string> => {
  const socket = new PeerSocket(url, { protocols: ["eventlog.v2"] })
  const outcome = await socket.opened.then(
    () => socket.protocol || "nothing",
    (error) => String(error)
  )
  socket.cut()
  return outcome
}

/** How a connection without a key ends that sends a frame of a size. */
const oversize = async (url: string, bytes: number): Promise<number | string> => {
  const socket = new PeerSocket(url, { protocols: ["eventlog.v1"] })
  await socket.opened
  socket.send(encodeRequestUnencrypted({ _tag: "StopChanges", publicKey: "k".repeat(bytes) }))
  const closed = await within(socket.closed)
  socket.cut()
  return closed?.code ?? "nothing"
}

const run = async ({ url }: Scene): Promise<Findings> => ({
  "1,500 writes in a burst": await burst(url),
  "selected of eventlog.v2": await selected(url),
  "100 kB without a key closes with": await oversize(url, 100_000),
  "2 MiB without a key closes with": await oversize(url, 2 * 1024 * 1024)
})

/** Checks with a yes or no. */
export const odd: Attack = {
  name: "odd",
  about: "small things that have to be right",
  settings: { appendDelay: 50 },
  run
}

const runMute = async ({ keep, server, url }: Scene): Promise<Findings> => {
  const peer = keep(new EventLogPeer(url, { isMute: true }))
  await peer.socket.opened
  return { "stopped after ms": Math.round(await server.stop()) }
}

/** A client that doesn't answer the close. */
export const muteExit: Attack = {
  name: "mute-exit",
  about: "the server stops while a client is connected that never reads",
  honestDevices: 0,
  run: runMute
}

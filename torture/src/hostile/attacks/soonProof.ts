import { setTimeout as sleep } from "node:timers/promises"
import { EventLogPeer } from "../peers/EventLogPeer.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

const perSecond = 20
/** More than the bucket of a connection holds. */
const requests = 3 * perSecond
/** Milliseconds that the server may take. */
const patience = 5_000

/** Uses up what a connection may ask for, proves its key then, and waits for what a device can go on with. */
const run = async ({ keep, url }: Scene): Promise<Findings> => {
  const peer = keep(new EventLogPeer(url))
  await peer.hello
  for (let count = 0; count < requests; count++) peer.send({ _tag: "RequestChanges", publicKey: "-", startSequence: 1 })
  const hellos = peer.hellos
  const proof = await peer.prove("soon/device").then(() => "accepted", String)
  await Promise.race([peer.socket.closed, sleep(patience)])
  const canGoOn = proof === "accepted" || peer.hellos > hellos || !peer.socket.isOpen
  return { proof, "the device can go on": canGoOn ? "yes" : "NO, it got no challenge and no close" }
}

/** A proof that the rate limit refuses. */
export const soonProof: Attack = {
  name: "soon-proof",
  about: "a proof that comes when the connection has used up its requests",
  settings: { limits: { maxRequestsPerSecond: perSecond } },
  run
}

import { EventLogPeer } from "../peers/EventLogPeer.ts"
import { factOf } from "../peers/entries.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

const stores = 64
const entriesOfStore = 30
const handlerTimeout = 500

const occupy = async (peer: EventLogPeer, publicKey: string): Promise<void> => {
  await peer.prove(publicKey)
  const entries = Array.from({ length: entriesOfStore }, (_, index) => factOf("Hung", `${index}`, "text"))
  await peer.write(publicKey, entries)
}

const run = async ({ keep, server, url }: Scene): Promise<Findings> => {
  await Promise.all(
    Array.from({ length: stores }, (_, index) => occupy(keep(new EventLogPeer(url)), `stuck-${index}/device`))
  )
  return { "another store's entry handled after ms": Math.round(await server.call("handled", "other")) }
}

/** Stores whose handlers hang, beside one that is in order. */
export const hang: Attack = {
  name: "hang",
  about: "64 stores with a handler that hangs, handlerTimeout 0.5 s",
  settings: { handlerTimeout },
  run
}

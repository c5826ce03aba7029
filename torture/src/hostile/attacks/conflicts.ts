import { EventLogPeer } from "../peers/EventLogPeer.ts"
import { factOf, oldId } from "../peers/entries.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

const keys = 512
const text = "t".repeat(1024 * 1024 - 100)
const publicKey = "attacker/conflicts"
const storeId = "attacker"
/** How old the ids are that come late, in milliseconds. */
const age = 60_000

const prepare = async ({ keep, server, url }: Scene): Promise<void> => {
  const peer = keep(new EventLogPeer(url))
  await peer.prove(publicKey)
  for (let index = 0; index < keys; index++) await peer.write(publicKey, [factOf("Added", `${index}`, text)])
  await server.call("handled", storeId)
}

const run = async ({ keep, server, url }: Scene): Promise<Findings> => {
  const peer = keep(new EventLogPeer(url))
  await peer.prove(publicKey)
  const late = Array.from({ length: keys }, (_, index) => factOf("Added", `${index}`, "", oldId(age - index)))
  await peer.write(publicKey, late)
  return { "handled after ms": Math.round(await server.call("handled", storeId)) }
}

/** One small write whose entries all have big conflicts, which are read for their handlers. */
export const conflicts: Attack = {
  name: "conflicts",
  about: "one write of 512 old ids on keys that hold 1 MiB each, on SQLite",
  settings: { storage: "sqlite" },
  prepare,
  run
}

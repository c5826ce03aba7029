import { minimalEntry } from "../peers/entries.ts"
import { encodeWrite, RpcPeer } from "../peers/RpcPeer.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

const MiB = 1024 * 1024
/** Entries of a write: as many as are accepted. */
const entriesOfWrite = 100_000
/** Bytes of entries that are sent in all. */
const wanted = 59 * MiB

const writes: Array<Uint8Array<ArrayBuffer>> = []

const prepare = async (): Promise<void> => {
  if (writes.length > 0) return
  for (let bytes = 0; bytes < wanted; bytes += writes.at(-1)!.byteLength)
    writes.push(encodeWrite("attacker/slow", Array.from({ length: entriesOfWrite }, minimalEntry)))
}

const run = async ({ keep, seconds, url }: Scene): Promise<Findings> => {
  const peer = keep(new RpcPeer(url))
  await peer.prove("attacker/slow")
  const refusals = new Set<string>()
  let acked = 0
  for (const data of writes) {
    peer.writeEncoded(data).then(
      () => acked++,
      (error) => refusals.add(String(error))
    )
  }
  await Promise.race([peer.socket.closed, new Promise((resolve) => setTimeout(resolve, seconds * 1_000))])
  return {
    writes: writes.length,
    acked,
    refusals: [...refusals].join("; ") || "none",
    open: peer.socket.isOpen ? "yes" : "no"
  }
}

/** One proved connection fills what the server may hold for it while nothing can be stored. */
export const slowStorage: Attack = {
  name: "slow-storage",
  about: "59 MiB of minimal entries on one RPC connection while appends take 30 s",
  settings: { appendDelay: 30_000 },
  // Their acks would wait for the storage as well.
  honestDevices: 0,
  prepare,
  run
}

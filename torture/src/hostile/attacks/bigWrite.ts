import { encodeRequestUnencrypted, splitMessage } from "@eventlog-server/core/protocol"
import { EventLogPeer } from "../peers/EventLogPeer.ts"
import { minimalEntry } from "../peers/entries.ts"
import { encodeWrite, RpcPeer } from "../peers/RpcPeer.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

/** Milliseconds that a reply may take. */
const patience = 60_000

const outcomeOf = async (write: Promise<unknown>): Promise<Findings> => {
  const from = performance.now()
  const late = new Promise((resolve) => setTimeout(resolve, patience, "no reply").unref())
  const outcome = await Promise.race([write, late]).then((reply) => reply ?? "accepted", String)
  return { outcome: String(outcome).slice(0, 60), "replied after ms": Math.round(performance.now() - from) }
}

const rpcEntries = 1_400_000
let rpcWrite: Uint8Array<ArrayBuffer> | undefined

const runRpc = async ({ keep, url }: Scene): Promise<Findings> => {
  const peer = keep(new RpcPeer(url))
  await peer.prove("attacker/big")
  return outcomeOf(peer.writeEncoded(rpcWrite!))
}

/** As many of the smallest entries as a write of effect's client has room for. */
export const bigWriteRpc: Attack = {
  name: "big-write-rpc",
  about: "one RPC write of 31.5 MiB with 1.4 million minimal entries",
  prepare: async () => {
    // Ids don't matter: it has too many entries whatever they are. One entry over and over is quick to make.
    rpcWrite ??= encodeWrite("attacker/big", new Array(rpcEntries).fill(minimalEntry()))
  },
  run: runRpc
}

const msgpackEntries = 305_000
let frames: ReadonlyArray<Uint8Array> = []

const runMsgpack = async ({ keep, url }: Scene): Promise<Findings> => {
  const peer = keep(new EventLogPeer(url))
  await peer.prove("attacker/big")
  const reply = peer.replyTo(1)
  for (const frame of frames) peer.socket.send(frame)
  return outcomeOf(reply)
}

/** The same in MessagePack, of one message's size. */
export const bigWriteMsgpack: Attack = {
  name: "big-write-msgpack",
  about: "one eventlog.v1 write of 16 MiB with 305,000 minimal entries",
  prepare: async () => {
    const entries = new Array(msgpackEntries).fill(minimalEntry())
    frames = splitMessage(
      encodeRequestUnencrypted({ _tag: "WriteEntries", id: 1, publicKey: "attacker/big", entries }),
      1
    )
  },
  run: runMsgpack
}
